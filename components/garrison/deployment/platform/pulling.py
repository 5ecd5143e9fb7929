"""Charts that are fetched: once, by helm, and used only if they are what they were pinned to.

What was fetched lies outside of every repository, under the digest of its content, and is hashed again at each use.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from garrison.deployment.platform.helm import ChartError, helm
from garrison.settings.charts import Reference


def archive(name: str, wanted: Reference) -> Path:
    """The chart's archive, fetched if it is not here yet; raises ChartError for one that is not as pinned."""
    kept = _cache() / f"{name}-{hashlib.sha256(str(wanted).encode()).hexdigest()[:16]}"
    if kept.is_dir() and (found := _sound(kept)):
        return found
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        digest, made = _pulled(name, wanted, Path(scratch))
        if digest != wanted.digest:
            raise ChartError(f"the chart {name} of {wanted.repository} is {digest}, and not {wanted.digest} as pinned")
        return _keep(made, kept)


def _keep(made: Path, kept: Path) -> Path:
    """Together with what it was when it was verified; whoever was first has put the same there."""
    kept.mkdir(exist_ok=True)
    final = kept / f"{_hash(made)}.tgz"
    made.replace(final)
    return final


def _sound(kept: Path) -> Path | None:
    """The archive that is as it was when it was verified; one that is not is fetched again."""
    return next((file for file in kept.glob("*.tgz") if _hash(file) == file.stem), None)


def _pulled(name: str, wanted: Reference, folder: Path) -> tuple[str, Path]:
    """What helm brought, and the digest of what was pinned: in a registry the manifest's, which helm verifies, too."""
    what = [str(wanted)] if wanted.oci else [name, "--repo", wanted.repository, "--version", wanted.version]
    plain = ["--plain-http"] if wanted.oci and wanted.plain else []
    said = helm(["pull", *what, *plain, "--destination", str(folder)], f"fetch the chart {name} of {wanted.repository}")
    found = list(folder.glob("*.tgz"))
    if len(found) != 1:
        raise ChartError(f"helm brought no chart {name} from {wanted.repository}")
    if not wanted.oci:
        return f"sha256:{_hash(found[0])}", found[0]
    told = re.search(r"^Digest: (sha256:[0-9a-f]{64})$", said, re.MULTILINE)
    return told[1] if told else "nothing that helm names", found[0]


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _cache() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "garrison-charts"
