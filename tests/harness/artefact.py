"""Assembled things in the cache: a folder per content key, whole and verified, or not there at all.

A folder is made beside its place and renamed into it when complete. What a killed run left is swept
by the next one; what no longer matches its list of hashes is said and made again.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import lock, manifest, paths, progress, shell


def key(*inputs: Any) -> str:
    """A short hash of everything an artefact's content depends on."""
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]


def folder(name: str, content: str) -> Path:
    """Where the artefact called `name` with the key `content` lives."""
    return paths.cache() / "images" / f"{name}-{content}"


def made(place: Path, what: str, make: Callable[[Path], None]) -> Path:
    """`place`, complete; `make` fills an empty folder when it is missing or damaged."""
    if _good(place):
        return place
    with lock.held(place.parent / ".locks" / f"{place.name}.lock"):
        if _good(place):
            return place
        scratch = place.parent / f".scratch-{place.name}"
        for left in (scratch, place):
            shutil.rmtree(left, ignore_errors=True)
        scratch.mkdir(parents=True)
        with shell.step(what):
            make(scratch)
            manifest.write(scratch)
            scratch.rename(place)
    return place


@functools.cache
def _verified(place: Path, stamp: int) -> bool:
    """Hashing hundreds of megabytes once per process and folder is enough."""
    problem = manifest.problem(place)
    if problem:
        progress.say(f"{place.name}: {problem}; making it again")
    return not problem


def _good(place: Path) -> bool:
    return place.is_dir() and _verified(place, place.stat().st_mtime_ns)
