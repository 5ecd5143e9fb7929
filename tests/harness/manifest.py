"""The list of hashes in every part's folder, checked before the part is used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

NAME = "manifest.json"


def write(folder: Path) -> None:
    """List every file of `folder` with its hash."""
    files = {str(p.relative_to(folder)): digest(p) for p in _files(folder)}
    (folder / NAME).write_text(json.dumps(files, indent=1, sort_keys=True) + "\n")


def problem(folder: Path) -> str:
    """Why the folder cannot be used, or nothing when it is as it was built."""
    try:
        expected = json.loads((folder / NAME).read_text())
    except (OSError, ValueError):
        return "its manifest is missing or unreadable"
    present = {str(p.relative_to(folder)): p for p in _files(folder)}
    if odd := sorted(set(present) ^ set(expected)):
        return f"{odd[0]} is missing or was added"
    for name, path in present.items():
        if digest(path) != expected[name]:
            return f"{name} has changed since it was built"
    return ""


def digest(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and p.name != NAME)
