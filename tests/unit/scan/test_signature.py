"""What counts as signed, with a stand-in for cosign that says yes; the real one is in tests/servers/test_scan.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from garrison_supply.scan import signature
from garrison_supply.scan.binary import Binary
from garrison_supply.scan.model import ScanError
from garrison_supply.scan.settings import Tool

DIGEST = "sha256:" + "ab" * 32
IMAGE = f"shop.example/x@{DIGEST}"


@pytest.fixture
def cosign(tmp_path: Path) -> Binary:
    path = tmp_path / "cosign"
    path.write_text(
        f'#!/bin/sh\necho "$@" > {tmp_path}/call; cat > {tmp_path}/stdin; env > {tmp_path}/environment\n'
        'for word; do [ "$before" = --bundle ] && [ "$1" = sign-blob ] && echo bundle > "$word"; before=$word; done\n'
        f"[ ! -e {tmp_path}/refuse ]\n"
    )
    path.chmod(0o755)
    return Binary(Tool(name="cosign", version="3.1.3", sha256=frozenset(), path="cosign", timeout=60), path)


@pytest.fixture
def keys(tmp_path: Path) -> list[Path]:
    (tmp_path / "cosign.pub").write_text("key")
    return [tmp_path / "cosign.pub"]


def signed(cosign: Binary, folder: Path, image: str = IMAGE) -> Path:
    bill = folder.parent / "sbom.cdx.json"
    bill.write_text("{}")
    return signature.sign(cosign, image, key=folder.parent / "k", password="pw", folder=folder, bills=[bill])


def test_a_signed_image_has_no_problem(cosign: Binary, keys: list[Path], tmp_path: Path) -> None:
    signed(cosign, tmp_path / "signatures")
    assert signature.problem(cosign, IMAGE, keys=keys, folder=tmp_path / "signatures") == ""
    assert "--insecure-ignore-tlog=true" in (tmp_path / "call").read_text()
    assert signature.problem(cosign, f"@{DIGEST}", keys=keys, folder=tmp_path / "signatures") == ""


def test_the_payload_is_cosigns_own_and_binds_the_bill(cosign: Binary, tmp_path: Path) -> None:
    payload = json.loads((signed(cosign, tmp_path / "signatures") / "payload.json").read_text())
    assert payload["critical"] == {
        "identity": {"docker-reference": "shop.example/x"},
        "image": {"docker-manifest-digest": DIGEST},
        "type": "cosign container image signature",
    }
    assert list(payload["optional"]) == ["sbom.cdx.json"]


def test_the_password_is_in_no_argument_and_no_environment(cosign: Binary, tmp_path: Path) -> None:
    signed(cosign, tmp_path / "signatures")
    assert (tmp_path / "stdin").read_text() == "pw"
    assert "pw" not in (tmp_path / "call").read_text().split()
    assert "PASSWORD" not in (tmp_path / "environment").read_text()


def test_what_breaks_a_signature_is_a_reason(cosign: Binary, keys: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "signatures"

    def why(image: str = IMAGE) -> str:
        return signature.problem(cosign, image, keys=keys, folder=folder)

    assert "is not signed" in why()
    here = signed(cosign, folder)
    assert why() == ""
    assert "another image" in why(f"shop.example/y@{DIGEST}")
    (here / "sbom.cdx.json").write_text('{"components": []}')
    assert "bill of materials" in why()
    signed(cosign, folder)
    assert why() == ""
    (here / "sbom.cdx.json").unlink()
    assert "incomplete" in why()
    signed(cosign, folder)
    (tmp_path / "refuse").touch()
    assert "none of the keys" in why()


def test_a_signature_of_another_image_does_not_count(cosign: Binary, keys: list[Path], tmp_path: Path) -> None:
    folder, other = tmp_path / "signatures", "sha256:" + "cd" * 32
    signed(cosign, folder).rename(signature.place(folder, other))
    assert "another image" in signature.problem(cosign, f"shop.example/x@{other}", keys=keys, folder=folder)


def test_a_policy_is_told_what_is_signed_and_no_more(cosign: Binary, keys: list[Path], tmp_path: Path) -> None:
    folder, other = tmp_path / "signatures", f"shop.example/y@sha256:{'cd' * 32}"
    signed(cosign, folder)
    here = signed(cosign, folder, other)
    assert signature.signed(cosign, keys=keys, folder=folder) == {IMAGE, other}
    (here / "sbom.cdx.json").write_text("changed")
    assert signature.signed(cosign, keys=keys, folder=folder) == {IMAGE}
    (here / "payload.json").write_text("{")
    assert signature.signed(cosign, keys=keys, folder=folder) == {IMAGE}


def test_without_a_key_nothing_can_be_verified(cosign: Binary, keys: list[Path], tmp_path: Path) -> None:
    signed(cosign, tmp_path / "signatures")
    with pytest.raises(ScanError, match="no public key is named"):
        signature.problem(cosign, IMAGE, keys=[], folder=tmp_path / "signatures")
    with pytest.raises(ScanError, match="no such public key"):
        signature.problem(cosign, IMAGE, keys=[*keys, tmp_path / "gone.pub"], folder=tmp_path / "signatures")


def test_a_failed_signing_leaves_the_old_signature(cosign: Binary, keys: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "signatures"
    signed(cosign, folder)
    (tmp_path / "refuse").touch()
    with pytest.raises(ScanError, match="cosign failed"):
        signed(cosign, folder)
    (tmp_path / "refuse").unlink()
    assert signature.problem(cosign, IMAGE, keys=keys, folder=folder) == ""
    assert [path.name for path in folder.iterdir()] == [signature.place(folder, DIGEST).name]
