"""Debian packages by lock file: name, version and sha256. Where they come from is the machine's affair (archive.py);
what arrived is believed only for its hash.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness import paths
from harness.errors import HarnessError
from harness.oci import file_digest

REFRESH = "python -m harness.images lock"


@dataclass(frozen=True, order=True)
class Deb:
    """One pinned package."""

    name: str
    version: str
    sha256: str

    @property
    def cached(self) -> Path:
        """Where it lies once fetched; the name carries the hash, so a changed lock never finds it."""
        return paths.cache() / "downloads" / f"{self.name}_{self.sha256[:16]}.deb"


def read_lock(file: Path) -> list[Deb]:
    """The packages of a lock file, one `name version sha256` a line."""
    try:
        lines = file.read_text().splitlines()
        return [Deb(*line.split()) for line in lines if line and not line.startswith("#")]
    except (OSError, TypeError) as error:
        raise HarnessError(f"{file}: not a package lock ({error}); remake it: {REFRESH}") from None


def write_lock(file: Path, debs: Iterable[Deb]) -> None:
    """Write a lock that `read_lock` understands, sorted, with no address in it."""
    lines = [f"{deb.name} {deb.version} {deb.sha256}" for deb in sorted(debs)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([f"# made by: {REFRESH}", *lines]) + "\n")


def files(lock: Path) -> list[Path]:
    """Every package of a lock as a verified file of the cache, in the order of the lock."""
    debs = read_lock(lock)
    if wrong := [deb.name for deb in debs if not fetched(deb)]:
        raise HarnessError(f"{lock.name}: {', '.join(wrong)} not in the cache as pinned; remove it there and run again")
    return [deb.cached for deb in debs]


def fetched(deb: Deb) -> bool:
    """Whether the cache has it, whole and as pinned."""
    return deb.cached.exists() and file_digest(deb.cached) == f"sha256:{deb.sha256}"


def extract(debs: Iterable[Path], dest: Path) -> None:
    """Unpack packages over each other, leaving the note scanners look for about each of them."""
    notes = dest / "var/lib/dpkg/status.d"
    notes.mkdir(parents=True, exist_ok=True)
    for deb in debs:
        _run(["dpkg-deb", "--extract", str(deb), str(dest)])
        control = _run(["dpkg-deb", "--field", str(deb)])
        name = re.search(r"^Package: (\S+)", control, re.MULTILINE)
        assert name is not None
        (notes / name[1]).write_text(control)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise HarnessError(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout
