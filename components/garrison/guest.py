"""Programs that others wrote and that run in this process: they end it never, and write nothing between its words.

What `garrison` prints is read by other programs (`garrison render | kubectl apply -f -`), and its exit code is a
verdict.
"""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from garrison.errors import GarrisonError

STDOUT, STDERR = 1, 2
_READING: ContextVar[bool] = ContextVar("reading", default=False)


class FailedError(GarrisonError):
    """The program did not come to its end; one line says how it ended."""


@contextmanager
def guest() -> Iterator[None]:
    """Around a program: what it prints goes to standard error, and its own end is a FailedError."""
    token = _READING.set(True)
    try:
        with _aside(), redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt:
        raise
    except SystemExit as error:
        raise FailedError(
            f"the program ended itself with exit({error.code!r}); a declaration runs to its end"
        ) from None
    except GarrisonError:
        raise  # it says where and what already
    except BaseException as error:
        said = " ".join(str(error).split())[:300]
        raise FailedError(f"the program failed: {type(error).__name__}: {said}") from error
    finally:
        _READING.reset(token)


def reading() -> bool:
    """Whether a program runs for what it declares only, so that nothing that it asks for is to be done."""
    return _READING.get()


def run(path: Path) -> dict[str, Any]:
    """The global names of a program after it has run."""
    with guest():
        return runpy.run_path(str(path))


@contextmanager
def _aside() -> Iterator[None]:
    """Standard output is standard error for a while, also for what the program starts."""
    _flush()
    try:
        kept = os.dup(STDOUT)
    except OSError:  # closed: then nothing can be written to it either
        yield
        return
    try:
        os.dup2(STDERR, STDOUT)
        yield
    finally:
        _flush()
        os.dup2(kept, STDOUT)
        os.close(kept)


def _flush() -> None:
    for stream in (sys.stdout, sys.__stdout__):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()  # type: ignore[union-attr]  # None where there is no standard output
