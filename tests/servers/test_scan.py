"""`garrison scan` with the real Trivy and the real cosign: what is seeded is found, and only that.

The database is made by Trivy's own tooling from written advisories (servers/advisories.py), the images by the
harness's own image writer. Nothing here may reach a network: the last test takes it away altogether.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric import ec

from garrison_supply.scan import binary, signature
from garrison_supply.scan.binary import Binary
from garrison_supply.scan.model import ScanError
from garrison_supply.scan.settings import load
from harness import assembly, build, oci, paths, signing
from harness.errors import HarnessError
from servers import advisories
from unit.verbs import scan as main

FIXED, VULNERABLE = "3.0.2-1", "3.0.1-1"


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return advisories.database(tmp_path_factory.mktemp("advisories"))


@dataclass
class Desk:
    """A folder to work in, with settings that trust the binaries the harness built."""

    folder: Path
    database: Path

    def __post_init__(self) -> None:
        self.settings()

    def settings(self, more: str = "[signature]\nrequired = false\n") -> None:
        tools = {"scanner": ("trivy", "0.69.3"), "cosign": ("cosign", "3.1.3")}
        lines = ["[database]", f'folder = "{self.database}"']
        for table, (name, version) in tools.items():
            path = build.binary(name)
            lines += [f"[{table}]", f'path = "{path}"', f'version = "{version}"', f'sha256 = ["{sha256(path)}"]']
            lines += [r"file-patterns = ['pip:requirements\.lock$']"] if table == "scanner" else []
        (self.folder / "scan.toml").write_text("\n".join(lines) + f"\n{more}")

    def scan(self, what: Path, *more: str) -> int:
        return main([str(what), "--settings", str(self.folder / "scan.toml"), *more])


@dataclass
class Recipe:
    """An image of Debian 12 with one package and nothing wrong."""

    openssl: str = FIXED
    user: str = "65532"
    files: Mapping[str, bytes] = field(default_factory=dict)

    def made(self, folder: Path) -> oci.Image:
        status = f"Package: libssl3\nSource: openssl\nVersion: {self.openssl}\nArchitecture: amd64\nDescription: x\n"
        system = b'ID=debian\nVERSION_ID="12"\n'
        files = {
            "etc/os-release": system,
            "etc/debian_version": b"12.9\n",
            "var/lib/dpkg/status.d/libssl3": status.encode(),
        }
        for name, content in {**files, **self.files}.items():
            path = folder / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        layer = oci.layer_from_dir(folder / "root", folder)
        return oci.write_image("shop.example/x:1", [layer], entrypoint=["/x"], user=self.user, out=folder)


@pytest.fixture
def desk(tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in [name for name in os.environ if name.startswith(("GARRISON_TRIVY", "GARRISON_COSIGN"))]:
        monkeypatch.delenv(name)
    return Desk(tmp_path, database)


def private_key() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption())


def wheel(name: str, version: str, licence: str) -> dict[str, bytes]:
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nLicense: {licence}\n"
    return {f"usr/lib/python3/dist-packages/{name}-{version}.dist-info/METADATA": text.encode()}


SEEDED = {
    "a vulnerable Debian package": (Recipe(openssl=VULNERABLE), "CVE-2022-0778", "libssl3"),
    "a vulnerable wheel": (Recipe(files=wheel("jinja2", "2.10", "BSD")), "CVE-2019-10906", "jinja2"),
    "a leaked key": (Recipe(files={"app/key.pem": private_key()}), "private-key", "/app/key.pem:2"),
    "a forbidden licence": (Recipe(files=wheel("copyleft", "1.0", "AGPL-3.0")), "AGPL-3.0-only", "copyleft"),
    "root": (Recipe(user=""), "root-user", "User"),
}


def failing(desk: Desk, image: Path, capsys: pytest.CaptureFixture[str]) -> list[tuple[str, str]]:
    capsys.readouterr()
    assert desk.scan(image, "--format", "json") == 1
    return [(finding["id"], finding["where"]) for finding in json.loads(capsys.readouterr().out)["failing"]]


def test_an_image_with_nothing_wrong_is_clean(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert desk.scan(Recipe(files=wheel("jinja2", "2.10.1", "BSD")).made(desk.folder).path) == 0
    assert "2 packages" in capsys.readouterr().out


@pytest.mark.parametrize("what", SEEDED)
def test_what_is_seeded_is_found_and_nothing_else(desk: Desk, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    recipe, finding, where = SEEDED[what]
    assert failing(desk, recipe.made(desk.folder).path, capsys) == [(finding, where)]


def test_an_advisory_on_a_package_of_a_real_service_is_found_in_its_image(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = assembly.image("orders").path
    assert desk.scan(image) == 0
    desk.database = advisories.database(tmp_path / "more", ("CVE-2099-0001", "openssl", "bookworm", "99", "high"))
    desk.settings()
    assert ("CVE-2099-0001", "libssl3") in failing(desk, image, capsys)


def test_a_folder_is_scanned_for_the_same(desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "requirements.lock").write_text("jinja2==2.10.1\n")
    assert desk.scan(folder) == 0
    (folder / "requirements.lock").write_text("jinja2==2.10\n")
    (folder / "Dockerfile").write_text("FROM debian:12\nUSER root\n")
    (folder / "key.pem").write_bytes(private_key())
    found = failing(desk, folder, capsys)
    assert {("CVE-2019-10906", "jinja2"), ("private-key", "key.pem:2"), ("DS-0002", "Dockerfile")} <= set(found)


def test_a_database_that_knows_nothing_is_not_believed(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = Recipe().made(desk.folder).path
    assert desk.scan(image) == 0
    desk.database = advisories.database(tmp_path / "less", without="openssl")
    desk.settings()
    assert desk.scan(image) == 2
    assert "finds nothing in openssl 3.0.0" in capsys.readouterr().err


def test_a_database_that_is_cut_off_is_not_believed(desk: Desk, tmp_path: Path) -> None:
    image = Recipe().made(desk.folder).path
    assert desk.scan(image) == 0
    cut = advisories.database(tmp_path / "cut")
    (cut / "trivy.db").write_bytes((cut / "trivy.db").read_bytes()[:4096])
    desk.database = cut
    desk.settings()
    assert desk.scan(image) == 2


def test_a_layer_that_is_cut_off_is_not_clean(desk: Desk, tmp_path: Path) -> None:
    image = Recipe().made(desk.folder)
    assert desk.scan(image.path) == 0
    cut = tmp_path / "cut.tar"
    cut.write_bytes(image.path.read_bytes()[:-8192])
    assert desk.scan(cut) == 2


def test_bills_of_materials_name_the_packages(desk: Desk, tmp_path: Path) -> None:
    image = Recipe(files=wheel("jinja2", "2.10.1", "BSD")).made(desk.folder)
    assert desk.scan(image.path, "--sbom", str(tmp_path / "bills")) == 0
    stem = image.digest.replace(":", "-")
    cyclonedx = json.loads((tmp_path / f"bills/{stem}.cdx.json").read_text())
    spdx = json.loads((tmp_path / f"bills/{stem}.spdx.json").read_text())
    assert {"libssl3", "jinja2"} <= {part["name"] for part in cyclonedx["components"]}
    assert {"libssl3", "jinja2"} <= {part["name"] for part in spdx["packages"]}


def test_it_needs_no_network_at_all(desk: Desk) -> None:
    """In a network namespace with nothing in it, not even loopback that is up."""
    command = [sys.executable, "-m", "garrison", "scan", "--settings", str(desk.folder / "scan.toml")]
    alone = ["unshare", "--map-root-user", "--net", *command]
    roots = os.pathsep.join(str(paths.REPO / name) for name in ("components", "policies"))
    for recipe, code in ((Recipe(), 0), (Recipe(openssl=VULNERABLE), 1)):
        image = recipe.made(desk.folder / recipe.openssl).path
        done = subprocess.run([*alone, str(image)], env={**os.environ, "PYTHONPATH": roots}, capture_output=True)
        assert done.returncode == code, done.stderr


# --- signatures -----------------------------------------------------------------------------------------------------


@dataclass
class Signer:
    cosign: Binary
    folder: Path

    def __post_init__(self) -> None:
        self.private, self.public = signature.key_pair(self.cosign, self.folder / "keys", "correct horse")

    def sign(self, image: oci.Image) -> Path:
        bill = self.folder / "sbom.cdx.json"
        bill.write_text("{}")
        return signature.sign(
            self.cosign,
            image.pinned,
            key=self.private,
            password="correct horse",
            folder=self.folder / "signed",
            bills=[bill],
        )


@pytest.fixture
def signer(desk: Desk) -> Signer:
    settings = load(desk.folder / "scan.toml", today=datetime.datetime.now(datetime.UTC).date())
    return Signer(binary.verified(settings.cosign, {}), desk.folder / "signer")


def test_only_a_signed_image_is_clean(desk: Desk, signer: Signer, capsys: pytest.CaptureFixture[str]) -> None:
    desk.settings(f'[signature]\nkeys = ["{signer.public}"]\nfolder = "signer/signed"\n')
    image = Recipe().made(desk.folder)
    assert failing(desk, image.path, capsys) == [("unsigned", f"@{image.digest}")]
    signer.sign(image)
    assert desk.scan(image.path) == 0


def test_one_of_the_keys_is_enough_and_another_is_not(desk: Desk, signer: Signer) -> None:
    image, other = Recipe().made(desk.folder), Signer(signer.cosign, desk.folder / "other")
    signer.sign(image)

    def why(*keys: Path) -> str:
        return signature.problem(signer.cosign, image.pinned, keys=keys, folder=signer.folder / "signed")

    assert why(signer.public) == why(other.public, signer.public) == ""
    assert why(other.public) == "none of the keys has signed it"


def test_keys_may_be_named_from_where_one_stands(desk: Desk, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Recipe().made(desk.folder)
    signer.sign(image)
    desk.settings("")
    monkeypatch.chdir(desk.folder)
    assert desk.scan(image.path, "--key", "signer/keys/cosign.pub", "--signatures", "signer/signed") == 0


def test_a_payload_or_bundle_that_was_changed_does_not_verify(desk: Desk, signer: Signer) -> None:
    image = Recipe().made(desk.folder)
    here = signer.sign(image)

    def why() -> str:
        return signature.problem(signer.cosign, image.pinned, keys=[signer.public], folder=signer.folder / "signed")

    assert why() == ""
    (here / "sbom.cdx.json").write_text('{"x": 1}')
    assert "bill of materials" in why()
    payload = json.loads((here / "payload.json").read_text())
    payload["optional"] = {"sbom.cdx.json": sha256(here / "sbom.cdx.json")}
    (here / "payload.json").write_text(json.dumps(payload, sort_keys=True, separators=(",", ":")))
    assert why() == "none of the keys has signed it"
    signer.sign(image)
    assert why() == ""
    (here / "bundle.json").write_text("{}")
    assert why() == "none of the keys has signed it"


def test_a_key_is_never_replaced_and_needs_its_password(desk: Desk, signer: Signer) -> None:
    with pytest.raises(ScanError, match="a key already"):
        signature.key_pair(signer.cosign, signer.folder / "keys", "another")
    with pytest.raises(ScanError, match="decryption failed"):
        signature.sign(
            signer.cosign, "x@sha256:" + "0" * 64, key=signer.private, password="wrong", folder=desk.folder / "signed"
        )
    assert not list((desk.folder / "signed").iterdir())


def test_the_harness_deploys_only_what_it_signed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(signing, "folder", lambda: tmp_path / "signatures")
    image = assembly.image("orders")
    with pytest.raises(HarnessError, match="orders@sha256:.* not deployed: it is not signed"):
        signing.verify([image])
    signing.sign([image])
    signing.verify([image])
    here = signature.place(tmp_path / "signatures", image.digest)
    before = (here / "bundle.json").read_bytes()
    signing.sign([image])
    assert (here / "bundle.json").read_bytes() == before, "what is signed is left alone"
    assert {
        path.stat().st_mode & 0o077
        for path in (tmp_path / "state/signing").iterdir()
        if path.suffix == ".key" or path.name == "password"
    } == {0}
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path / "another"))
    with pytest.raises(HarnessError, match="none of the keys has signed it"):
        signing.verify([image])
