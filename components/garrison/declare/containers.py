"""What a program says of a container, as the model has it. What is of a wrong type is left for who checks types."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from garrison import defaults as d


def pairs(said: Any) -> Any:
    """The entries of a mapping, in order of their names."""
    if said is None:
        return ()
    return tuple(sorted(said.items(), key=str)) if isinstance(said, Mapping) else said


def strings(said: Any) -> Any:
    return tuple(said) if isinstance(said, list) else said


def texts(said: Any) -> Any:
    """Each path with its text, which may stand in a file; one that cannot be read is a path without a text."""
    if not isinstance(said, Mapping):
        return pairs(said)
    return pairs({path: _text(text) for path, text in said.items()})


def _text(said: Any) -> Any:
    if not isinstance(said, Path):
        return said
    try:
        return said.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def folders(said: Any) -> Any:
    """Each path with its size."""
    if isinstance(said, list | tuple):
        return tuple((path, d.SCRATCH) for path in said)
    return pairs(said)
