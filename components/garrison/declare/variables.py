"""Variables in the application's own words. What is of a wrong type is left for who checks types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Env = str | Mapping[str, str]


def texts(env: Any, alone: str) -> Any:
    """Each variable with its text; for one that is named alone it is `alone`."""
    if env is None:
        return ()
    if isinstance(env, str):
        return ((env, alone),)
    return tuple(env.items()) if isinstance(env, Mapping) else env
