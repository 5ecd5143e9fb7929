"""The executable that Pulumi finds in PATH under the name of the official plugin."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

NAME: Final = "pulumi-resource-kubernetes"
SOURCE_ROOT: Final = Path(__file__).resolve().parents[2]


def is_stand_in(path: Path) -> bool:
    """Whether it is one of these, of whichever checkout and state, and not the official plugin."""
    try:
        with path.open("rb") as file:
            return b"-m harness.plugin " in file.read(4096)
    except OSError:
        return False


def write_launcher(dest: Path, python: Path) -> Path:
    """Write the launcher for this Python; `dest` is its folder or its full path."""
    path = dest / NAME if dest.is_dir() else dest
    root, program = shlex.quote(str(SOURCE_ROOT)), shlex.quote(str(python))
    text = f'#!/bin/sh\nPYTHONPATH={root} exec {program} -m harness.plugin "$@"\n'
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path
