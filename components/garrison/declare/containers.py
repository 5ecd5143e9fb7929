"""What a program says of a container, as the model has it. What is of a wrong type is left for who checks types."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from garrison import defaults as d
from garrison.model.containers import Container


def container(
    env: Any, command: Any, args: Any, files: Any, scratch: Any, volumes: Any = None, *, uid: Any
) -> Container:
    """All that is said of one."""
    return Container(
        _pairs(env), _strings(command), _strings(args), _texts(files), _folders(scratch), _pairs(volumes), uid
    )


def _pairs(said: Any) -> Any:
    """The entries of a mapping, in order of their names."""
    if said is None:
        return ()
    return tuple(sorted(said.items(), key=str)) if isinstance(said, Mapping) else said


def _strings(said: Any) -> Any:
    return tuple(said) if isinstance(said, list) else said


def _texts(said: Any) -> Any:
    """Each path with its text, which may stand in a file; one that cannot be read is a path without a text."""
    if not isinstance(said, Mapping):
        return _pairs(said)
    return _pairs({path: _text(text) for path, text in said.items()})


def _text(said: Any) -> Any:
    if not isinstance(said, Path):
        return said
    try:
        return said.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def _folders(said: Any) -> Any:
    """Each path with its size."""
    if isinstance(said, list | tuple):
        return tuple((path, d.SCRATCH) for path in said)
    return _pairs(said)
