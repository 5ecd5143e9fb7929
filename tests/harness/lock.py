"""One builder at a time per cache, by a lock the kernel drops when its holder dies.

The file names the holder for people; it is never trusted, so a file left by a killed run is not
an obstacle and needs no cleaning.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.progress import say


@contextmanager
def held(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold `path` exclusively, or with others who share it, waiting for another run and saying for whom."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        told = False
        while not _try_lock(file.fileno(), shared=shared):
            if not told:
                say(f"waiting for another run to finish: {_holder(path)}")
                told = True
            time.sleep(0.5)
        file.truncate(0)
        file.write(f"process {os.getpid()}\n")
        file.flush()
        yield


def _holder(path: Path) -> str:
    return path.read_text().strip() or "unknown process"


def _try_lock(descriptor: int, *, shared: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
