"""Python's collector of cycles, out of the way of work that makes none.

It looks at everything that lives again and again while much is made; of a large estate that is a third of the time.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def uncollected(work: Callable[P, R]) -> Callable[P, R]:
    """The same work, without the collector meanwhile."""

    @wraps(work)
    def done(*args: P.args, **kwargs: P.kwargs) -> R:
        before = gc.isenabled()
        gc.disable()
        try:
            return work(*args, **kwargs)
        finally:
            if before:
                gc.enable()

    return done
