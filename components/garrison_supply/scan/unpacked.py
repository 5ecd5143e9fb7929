"""Plain files out of a tar, and nowhere but into a folder.

By hand, since `extractall` of Debian 12's Python (3.11.2) has no filter: links and devices would come, too.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path


def take(tar: tarfile.TarFile, folder: Path, wanted: Callable[[str], object] = bool) -> None:
    """Its plain files with a wanted name; tarfile.ExtractError for one that would be elsewhere."""
    for member in tar:
        if not member.isfile() or not wanted(member.name):
            continue
        target = folder / member.name
        if member.name.startswith("/") or ".." in target.parts:
            raise tarfile.ExtractError(f"{member.name} is outside of it")
        target.parent.mkdir(parents=True, exist_ok=True)
        source = tar.extractfile(member)
        assert source is not None  # a plain file
        with source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
