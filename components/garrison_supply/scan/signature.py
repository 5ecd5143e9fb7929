"""Signatures of images with a key, offline: cosign signs the image's digest, and no digest is believed without.

The signed text is cosign's own payload for container images, so it says the same as `cosign sign` in a registry; it
also names the image's bills of materials by hash. Everything lies in one folder per image, sha256-<digest>/:
payload.json, bundle.json (a Sigstore bundle), and the bills. No transparency log: on a closed network there is none,
and the key is what is trusted.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from garrison_supply.scan.binary import Binary, RefusedError
from garrison_supply.scan.model import ScanError

TYPE = "cosign container image signature"
PAYLOAD, BUNDLE = "payload.json", "bundle.json"


def place(folder: Path, digest: str) -> Path:
    """Where the signature of the image with this digest lies below `folder`."""
    return folder.resolve() / digest.replace(":", "-")


def key_pair(cosign: Binary, folder: Path, password: str) -> tuple[Path, Path]:
    """A new private key, encrypted with `password`, and its public key, in a folder only the owner may read."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    prefix = folder.resolve() / "cosign"
    private, public = prefix.with_suffix(".key"), prefix.with_suffix(".pub")
    if private.exists():
        raise ScanError(f"{private}: there is a key already; what it signed could no longer be verified")
    # The password goes through a pipe: an environment can be read by other processes of the same user.
    cosign.run(["generate-key-pair", "--output-key-prefix", prefix], stdin=password)
    return private, public


def sign(cosign: Binary, image: str, *, key: Path, password: str, folder: Path, bills: Iterable[Path] = ()) -> Path:
    """Sign `image` (NAME@sha256:DIGEST) and its bills of materials; returns the folder that now holds both."""
    name, _, digest = image.partition("@")
    final = place(folder, digest)
    scratch = final.with_name(f".{final.name}.{os.getpid()}")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        kept = [Path(shutil.copyfile(bill, scratch / bill.name)) for bill in bills]
        payload = scratch / PAYLOAD
        payload.write_text(json.dumps(_payload(name, digest, kept), sort_keys=True, separators=(",", ":")))
        offline = ("--use-signing-config=false", "--tlog-upload=false", "--yes")
        cosign.run(
            ["sign-blob", "--key", key.resolve(), "--bundle", scratch / BUNDLE, *offline, payload], stdin=password
        )
        (scratch / BUNDLE).chmod(0o644)  # a signature is there to be read
        shutil.rmtree(final, ignore_errors=True)
        scratch.rename(final)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return final


def problem(cosign: Binary, image: str, *, keys: Iterable[Path], folder: Path) -> str:
    """Why `image` does not count as signed by one of `keys`; empty when it does.

    image: NAME@sha256:DIGEST; without a name the signed one is believed. Whatever is missing is a reason; only no
    key at all is an error, since then nothing could ever be verified.
    """
    trusted = tuple(keys)
    if not trusted:
        raise ScanError(
            "no public key is named, so no signature can be verified; name keys in [signature] of scan.toml"
        )
    if absent := [key for key in trusted if not key.is_file()]:
        raise ScanError(f"{absent[0]}: no such public key; mend [signature] keys in scan.toml")
    name, _, digest = image.partition("@")
    here = place(folder, digest)
    try:
        said: Any = json.loads((here / PAYLOAD).read_text())
        name = name or said["critical"]["identity"]["docker-reference"]
        bound = _payload(name, digest, [here / Path(bill).name for bill in said["optional"]])
    except (OSError, ValueError, KeyError, TypeError):
        return "it is not signed, or its signature is incomplete"
    if said != bound:
        return "its signature is for another image, name or bill of materials"
    return "" if any(_verifies(cosign, key, here) for key in trusted) else "none of the keys has signed it"


def signed(cosign: Binary, *, keys: Iterable[Path], folder: Path) -> frozenset[str]:
    """Every image (NAME@sha256:DIGEST) below `folder` that one of `keys` has signed: what a policy may let in."""
    trusted, found = tuple(keys), set()
    for payload in sorted(folder.glob(f"sha256-*/{PAYLOAD}")):
        try:
            name = json.loads(payload.read_text())["critical"]["identity"]["docker-reference"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # not readable is not signed
        found.add(f"{name}@{payload.parent.name.replace('-', ':', 1)}")
    return frozenset(image for image in found if not problem(cosign, image, keys=trusted, folder=folder))


def _verifies(cosign: Binary, key: Path, here: Path) -> bool:
    try:
        # Without a log, "ignore" is the only spelling; that the key is right is what is verified.
        ignore = "--insecure-ignore-tlog=true"
        cosign.run(["verify-blob", "--key", key.resolve(), "--bundle", here / BUNDLE, ignore, here / PAYLOAD])
    except RefusedError:
        return False
    return True


def _payload(name: str, digest: str, bills: Iterable[Path]) -> Mapping[str, Any]:
    critical = {"identity": {"docker-reference": name}, "image": {"docker-manifest-digest": digest}, "type": TYPE}
    hashes = {bill.name: hashlib.sha256(bill.read_bytes()).hexdigest() for bill in bills}
    return {"critical": critical, "optional": hashes}
