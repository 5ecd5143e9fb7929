"""The vulnerability database: brought where Trivy looks for it, not too old, and seen to find what it must find."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from garrison_supply.scan import binary
from garrison_supply.scan.binary import Binary
from garrison_supply.scan.model import ScanError
from garrison_supply.scan.settings import Database

SCHEMA = 2
SKEW = datetime.timedelta(hours=1)  # clocks differ; a database from further in the future was tampered with


def prepare(database: Database, trivy: Binary, environ: Mapping[str, str], *, now: datetime.datetime) -> Path:
    """The folder with trivy.db and metadata.json, downloaded if it is to be, and of an age that can be believed."""
    folder = database.folder or _download(database, trivy, environ)
    made = updated(folder)
    if made > now + SKEW:
        raise ScanError(f"{folder}: the vulnerability database is from the future ({made:%Y-%m-%d}); replace it")
    if now - made > database.max_age:
        days, most = (now - made).days, database.max_age.days
        raise ScanError(f"{folder}: the vulnerability database is {days} days old, {most} are allowed; renew it")
    return folder


def updated(folder: Path) -> datetime.datetime:
    """When the database in `folder` was made (not when it was downloaded)."""
    try:
        metadata: Any = json.loads((folder / "metadata.json").read_text())
        version, made = metadata["Version"], datetime.datetime.fromisoformat(metadata["UpdatedAt"])
        size = (folder / "trivy.db").stat().st_size
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ScanError(f"{folder}: no vulnerability database (trivy.db with its metadata.json): {error}") from None
    if version != SCHEMA or not size or made.tzinfo is None:
        raise ScanError(f"{folder}: not a database of schema {SCHEMA} (version {version}, {size} bytes); renew it")
    return made


def _download(database: Database, trivy: Binary, environ: Mapping[str, str]) -> Path:
    root = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "garrison-scan"
    root.mkdir(parents=True, exist_ok=True)
    repository = ["--db-repository", database.repository] if database.repository else []
    outward = {name: environ[name] for name in binary.NETWORK if name in environ}
    try:
        trivy.run(["image", "--download-db-only", "--no-progress", "--cache-dir", root, *repository], env=outward)
    except ScanError as error:
        raise ScanError(
            f"the vulnerability database cannot be downloaded; name a folder in scan.toml: {error}"
        ) from None
    return root / "db"


def linked(folder: Path, cache: Path) -> None:
    """Make `cache` a cache folder of Trivy with this database and nothing else, so that no old result is reused."""
    cache.mkdir(exist_ok=True)
    (cache / "db").symlink_to(folder.resolve())
