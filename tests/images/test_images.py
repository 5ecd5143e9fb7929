"""The images as they are shipped: what is in them, what is not, and that they come out the same again."""

from __future__ import annotations

import json
import os
import re
import ssl
import stat
import subprocess
import tarfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import assembly, images, oci, packages, paths, rootfs
from harness.errors import HarnessError
from harness.recipes import BASES, RECIPES

SERVICES = ("cart", "catalog", "claims", "cover", "mailer", "orders", "payments", "provider", "statement", "storefront")
BASE_NAMES = [base.name for base in BASES]
SHELLS = {"sh", "bash", "dash", "busybox", "zsh"}
INSTALLERS = {"apt", "apt-get", "dpkg", "pip", "pip3", "uv"}


def files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder, name) for name in names)


def root(base: str) -> Path:
    return assembly.base(base).root


def test_every_image_is_the_pinned_one() -> None:
    built = {image.pinned for image in images.service_images()}
    here = images.built_here()  # there when Debian no longer has what is pinned
    assert built == set(tomllib.loads(here.read_text()).values() if here.exists() else images.read_pins().values())


@pytest.mark.parametrize("base", ["python", "postgres"])
def test_built_again_elsewhere_it_is_the_same(base: str, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        recipe = next(row for row in BASES if row.name == base)
        rootfs.stage(recipe, packages.settled(rootfs.lock_of(recipe)), tmp_path / "deep/er/root")
        again = oci.layer_from_dir(tmp_path / "deep/er/root", tmp_path)
    finally:
        os.umask(before)
    assert again.digest == assembly.base(base).layer.digest


@pytest.mark.parametrize("base", BASE_NAMES)
def test_no_shell_no_installer_no_privileged_file(base: str) -> None:
    names = {path.name for path in files(root(base)) if os.access(path, os.X_OK) or path.is_symlink()}
    assert names & SHELLS == ({"sh", "dash"} if base == "postgres" else set())
    assert not names & INSTALLERS
    for path in files(root(base)):
        mode = path.lstat().st_mode
        assert not mode & (stat.S_ISUID | stat.S_ISGID), path
        assert path.is_symlink() or not mode & stat.S_IWOTH, path


@pytest.mark.parametrize("base", BASE_NAMES)
def test_every_library_a_program_needs_is_there(base: str) -> None:
    there = {path.name for path in files(root(base)) if ".so" in path.name}
    programs = 0
    for path in files(root(base)):
        if path.is_symlink() or path.read_bytes()[:4] != b"\x7fELF":
            continue
        programs += 1
        told = subprocess.run(["readelf", "-d", path], capture_output=True, text=True, check=True).stdout
        assert set(re.findall(r"NEEDED.*\[(.*)\]", told)) <= there, path
    assert programs


@pytest.mark.parametrize("name", RECIPES)
def test_an_image_runs_as_nobody_in_particular(name: str) -> None:
    image = assembly.image(name)
    manifest = oci.manifest_of(image.path)
    uid = int(config(image)["User"].split(":")[0])
    assert uid == (999 if name == "postgres" else 10001)
    passwd = (root(RECIPES[name].base) / "etc/passwd").read_text()
    assert f":x:{uid}:{uid}:" in passwd
    assert "/sh\n" not in passwd
    assert manifest["digest"] == image.digest


def config(image: oci.Image) -> dict[str, str]:
    manifest = oci.manifest_of(image.path)
    blob = f"blobs/sha256/{manifest['config']['digest'][7:]}"
    with tarfile.open(image.path) as tar, tar.extractfile(blob) as blob_file:  # type: ignore[union-attr]
        found: dict[str, str] = json.load(blob_file)["config"]
    return found


def test_the_services_are_small_and_share_their_base() -> None:
    shared = assembly.base("python").layer
    for name in SERVICES:
        layers = oci.manifest_of(assembly.image(name).path)["layers"]
        assert layers[0]["digest"] == shared.digest
        assert sum(layer["size"] for layer in layers) <= images.LIMIT
        assert sum(layer["size"] for layer in layers[1:]) < 100_000


def alone(name: str, code: str, folder: Path) -> str:
    """What `code` prints with the image's own Python, libraries and sources, and nothing of the machine's."""
    base, sources = root(RECIPES[name].base), assembly.sources(name).root
    loader = [*rootfs.loader(base), str(base / "usr/bin/python3.11")]
    env = {"PYTHONHOME": str(base / "usr"), "PYTHONPATH": f"{sources / 'app'}:{base / rootfs.SITE}"}
    done = subprocess.run([*loader, "-B", "-c", code], env=env, capture_output=True, text=True, check=False, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_from_its_image_alone(name: str, tmp_path: Path) -> None:
    # these have no document, and ask nobody at their start
    own = {
        "cart": "a.served(a.Store(None, 1))",
        "mailer": "a.Mailer(None, None)",
        "provider": "a.Account()",
        "statement": "a.Pool(None)",
    }
    start = own.get(name, "a.describe()")
    code = f"import {name}.app as a; {start}; import psycopg, ssl; print(psycopg.pq.__impl__, ssl.OPENSSL_VERSION)"
    assert alone(name, code, tmp_path).startswith("binary OpenSSL 3.")


def test_the_edges_agent_starts_from_its_image_alone(tmp_path: Path) -> None:
    """And it has nothing there that it does not use."""
    code = (
        "import garrison_edge.__main__, jsonschema_rs, importlib.util as i;"
        "print([name for name in ('fastapi', 'psycopg', 'httpx', 'garrison') if i.find_spec(name)])"
    )
    assert alone("edge", code, tmp_path) == "[]\n"


@pytest.mark.parametrize("name", RECIPES)
def test_the_bill_names_every_package(name: str) -> None:
    bill = json.loads(images.bill(name))
    listed = {(part["name"], part["version"]) for part in bill["components"]}
    base = next(row for row in BASES if row.name == RECIPES[name].base)
    pins = [line.split()[:2] for line in packages.chosen(rootfs.lock_of(base)).read_text().splitlines()[1:]]
    assert {tuple(pin) for pin in pins} <= listed
    if base.wheels:
        wheels = re.findall(r"^(\S+)==([^ \\]+)", (paths.REPO / base.wheels).read_text(), re.MULTILINE)
        normal = {(part.lower().replace("_", "-"), version) for part, version in listed}
        assert set(wheels) <= normal
    assert bill["metadata"]["component"]["version"] == assembly.image(name).digest
    spdx = json.loads(images.bill(name, spdx=True))
    assert len(spdx["packages"]) == len(bill["components"])


def test_a_digest_that_is_not_pinned_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = images.DIGESTS.read_text().replace(assembly.image("orders").digest, f"sha256:{'0' * 64}")
    (tmp_path / "images.lock").write_text(changed)
    monkeypatch.setattr(images, "DIGESTS", tmp_path / "images.lock")
    with pytest.raises(HarnessError, match=r"image orders is sha256:.* says sha256:0.*: python -m harness.images pin$"):
        images.service_images()


@pytest.mark.parametrize("base", ["envoy", "edge"])
def test_who_asks_issuers_of_the_internet_knows_who_vouches_for_them(base: str) -> None:
    trust = ssl.create_default_context(cafile=str(root(base) / "etc/ssl/certs/ca-certificates.crt"))
    assert trust.cert_store_stats()["x509_ca"] > 100
