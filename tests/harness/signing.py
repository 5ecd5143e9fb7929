"""Signs the estate's images with a key of this machine, and verifies them before anything is deployed.

The key stands for the one a team keeps in its build system. It is made once, encrypted with a password of its own,
and both stay in the state folder. `variables` tells `garrison scan` what was built here and must hash to.
"""

from __future__ import annotations

import datetime
import json
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from garrison_supply.scan import binary, signature
from garrison_supply.scan.binary import Binary
from garrison_supply.scan.model import ScanError
from garrison_supply.scan.settings import load
from harness import assembly, build, manifest, oci, paths
from harness.errors import HarnessError
from harness.parts import part

TOOLS = ("trivy", "cosign")


@dataclass(frozen=True)
class Key:
    """A key pair and the password of its private half."""

    private: Path
    public: Path
    password: str


def folder() -> Path:
    """Where the signatures of this machine's images lie."""
    return paths.cache() / "signatures"


def sign(images: Iterable[oci.Image]) -> None:
    """Sign every image that has no valid signature yet, together with its bills of materials."""
    with _as_harness_error():
        cosign, key = _cosign(), _key()
        for image in (image for image in images if _problem(cosign, image, key)):
            bills = [image.path.parent / name for name in (assembly.CYCLONEDX, assembly.SPDX)]
            signature.sign(cosign, image.pinned, key=key.private, password=key.password, folder=folder(), bills=bills)


def verify(images: Iterable[oci.Image]) -> None:
    """Refuse to go on unless every image is signed with this machine's key."""
    with _as_harness_error():
        cosign, key = _cosign(), _key()
        reasons = [(image.pinned, _problem(cosign, image, key)) for image in images]
    for image, why in reasons:
        if why:
            raise HarnessError(f"{image}: not deployed: {why}")
    verified().write_text(json.dumps([image for image, _ in reasons]))


def verified() -> Path:
    """The list of the images that were verified: what a policy lets in."""
    return paths.state() / "signing" / "verified.json"


def variables() -> dict[str, str]:
    """Where the tools built here are, what they must hash to, and where their database and signatures lie."""
    found: dict[str, str] = {}
    for name in TOOLS:
        path = part(name).folder / name
        if (path.parent / manifest.NAME).is_file():
            said = json.loads((path.parent / manifest.NAME).read_text())
            found |= {f"GARRISON_{name.upper()}": str(path), f"GARRISON_{name.upper()}_SHA256": said[name]}
    return found | ({"GARRISON_SIGNED_IMAGES": str(verified())} if verified().exists() else {})


def public_key() -> Path:
    """The key to verify with; made when it is missing."""
    with _as_harness_error():
        return _key().public


def _problem(cosign: Binary, image: oci.Image, key: Key) -> str:
    return signature.problem(cosign, image.pinned, keys=[key.public], folder=folder())


def _cosign() -> Binary:
    build.obtain("cosign")
    settings = load(paths.REPO / "scan.toml", today=datetime.datetime.now(datetime.UTC).date())
    return binary.verified(settings.cosign, variables())


@contextmanager
def _as_harness_error() -> Iterator[None]:
    try:
        yield
    except ScanError as error:
        raise HarnessError(str(error)) from None


def _key() -> Key:
    place = paths.state() / "signing"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    password = place / "password"
    if not password.exists():
        password.touch(mode=0o600)
        password.write_text(secrets.token_urlsafe(32))
    private, public = place / "cosign.key", place / "cosign.pub"
    if not (private.exists() and public.exists()):
        private.unlink(missing_ok=True)  # half of a pair, from a run that was interrupted
        signature.key_pair(_cosign(), place, password.read_text())
    return Key(private, public, password.read_text())
