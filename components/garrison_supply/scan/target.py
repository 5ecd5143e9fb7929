"""What can be scanned: an image as an OCI layout (folder or tar), a folder, or every image of a stack's lock."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrison_supply.scan.model import ScanError
from garrison_supply.scan.unpacked import take

_PINNED = re.compile(r"(?P<name>[^@\s]+)@(?P<digest>sha256:[0-9a-f]{64})\Z")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_LAYOUT = re.compile(r"(?:\./)?(oci-layout|index\.json|blobs/sha256/[0-9a-f]{64})\Z")
_MANIFESTS = {
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
}


@dataclass(frozen=True)
class Target:
    """One thing to scan. An image has its manifest's digest, and its repository if a lock names it."""

    name: str
    path: Path
    digest: str = ""
    repository: str = ""

    @property
    def image(self) -> str:
        """REPOSITORY@DIGEST, as signatures name it."""
        return f"{self.repository}@{self.digest}"


def resolve(what: Path, archives: Path | None) -> list[Target]:
    """The targets `what` stands for; `archives` is where the images of a lock lie."""
    if not what.exists():
        raise ScanError(f"{what}: there is no such file or folder")
    if what.is_dir():
        return [_image(what)] if (what / "oci-layout").is_file() else [Target(str(what), what)]
    if tarfile.is_tarfile(what):
        return [_image(what)]
    if what.suffix == ".lock":
        return _stack(what, archives)
    raise ScanError(f"{what}: neither an OCI image (folder or tar), nor a folder, nor a stack's images.lock")


@contextmanager
def layout(target: Target) -> Iterator[Path]:
    """An OCI layout folder of an image, every part of which matches its digest; a copy that nobody else can change."""
    with tempfile.TemporaryDirectory(prefix="garrison-image-") as folder:
        place = Path(folder, "layout")
        _copy(target.path, place)
        _verify(place, target)
        yield place


def _stack(lock: Path, archives: Path | None) -> list[Target]:
    try:
        pins = tomllib.loads(lock.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScanError(f"{lock}: cannot be read: {error}") from None
    if not pins:
        raise ScanError(f"{lock}: names no image, so there is nothing to scan")
    if archives is None or not archives.is_dir():
        raise ScanError(f"{lock}: where are its images? name the folder of their archives with --images")
    return [_archived(name, str(pin), lock, archives) for name, pin in pins.items()]


def _archived(name: str, pin: str, lock: Path, archives: Path) -> Target:
    pinned = _PINNED.match(pin)
    if pinned is None:
        raise ScanError(f"{lock}: {name} = {pin!r} is not NAME@sha256:DIGEST; a tag can be moved, a digest cannot")
    digest = pinned["digest"]
    for path in sorted(archives.rglob(f"*{digest[7:19]}.tar")):
        if _manifest_digest(path) == digest:
            return Target(pin, path, digest, pinned["name"])
    raise ScanError(f"{lock}: no archive of {name} ({digest[:19]}) below {archives}; build or save it there")


def _image(path: Path) -> Target:
    digest = _manifest_digest(path)
    return Target(f"{path.name}@{digest[:19]}", path, digest)


def _manifest_digest(path: Path) -> str:
    """The digest of the one image in a layout."""
    try:
        index: Any = json.loads(_index(path))
        found = [(str(manifest["mediaType"]), str(manifest["digest"])) for manifest in index["manifests"]]
    except (OSError, ValueError, KeyError, TypeError, tarfile.TarError) as error:
        raise ScanError(f"{path}: no OCI image layout: {error}; save the image in the OCI format") from None
    if len(found) != 1 or found[0][0] not in _MANIFESTS or not _DIGEST.match(found[0][1]):
        raise ScanError(
            f"{path}: not exactly one image manifest (it lists {len(found)}); save one platform's image alone"
        )
    return found[0][1]


def _index(path: Path) -> bytes:
    if path.is_dir():
        return (path / "index.json").read_bytes()
    with tarfile.open(path) as tar:
        file = tar.extractfile("index.json")
        if file is None:
            raise ValueError("index.json is no file")
        return file.read()


def _copy(source: Path, place: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, place)
        return
    try:
        with tarfile.open(source) as tar:
            take(tar, place, _LAYOUT.match)  # no link, and no name that leads elsewhere
    except (OSError, tarfile.TarError) as error:
        raise ScanError(f"{source}: cannot be unpacked: {error}") from None


def _verify(place: Path, target: Target) -> None:
    """Every blob is what its name says, and the manifest the index names is the one we were asked for."""
    for blob in sorted((place / "blobs/sha256").glob("*")):
        with blob.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != blob.name:
                raise ScanError(f"{target.name}: {blob.name[:12]} does not match its digest; the image was changed")
    if _manifest_digest(place) != target.digest:
        raise ScanError(f"{target.name}: its manifest is not {target.digest[:19]}; the image was changed")
