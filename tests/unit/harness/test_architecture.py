"""arm64 is planned whole: a checksum, a lock and a path for everything that differs. Built for, not run."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import architecture, debs, oci, paths, platform_images, rootfs, sbom
from harness.architecture import AMD64, ARM64, KNOWN
from harness.errors import HarnessError
from harness.parts import PARTS, Wheel
from harness.recipes import BASES, Base

NODE_LOCKS = ("browser", "loadtools", *platform_images.ROOTS)
# What may name a processor: this table, and what is about packages of others.
NAMES = re.compile(r"amd64|x86_64|x86-64|aarch64", re.IGNORECASE)


@pytest.fixture
def arm64(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that says so of itself."""
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    yield


@pytest.mark.parametrize(
    ("machine", "found"), [("x86_64", AMD64), ("amd64", AMD64), ("aarch64", ARM64), ("arm64", ARM64)]
)
def test_kernels_call_them_by_either_name(
    machine: str, found: architecture.Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    assert architecture.here() == found


def test_another_processor_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(HarnessError, match=r"^architecture riscv64: parts are made for amd64 and arm64 only$"):
        architecture.here()


def test_every_wheel_has_a_checksum_for_each_and_they_differ() -> None:
    wheels = [row.source for row in PARTS if isinstance(row.source, Wheel)]
    assert len(wheels) == 2
    for wheel in wheels:
        assert wheel.sha256.keys() == KNOWN.keys()
        assert len({*wheel.sha256.values()}) == len(KNOWN)


def test_a_wheel_lock_has_the_wheels_of_both() -> None:
    """Those that exist for one processor only are the binaries; pip checks the others when it takes them."""
    for base in BASES:
        if base.wheels.endswith(".wheels"):
            assert (paths.REPO / base.wheels).read_text().count("--hash=sha256:") == len(KNOWN)


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_a_base_has_the_same_packages_for_each_with_hashes_of_its_own(base: Base) -> None:
    locks = {kind.name: debs.read_lock(rootfs.lock_of(base, kind)) for kind in KNOWN.values()}
    assert all({deb.name for deb in lock} == set(base.debs) for lock in locks.values())
    own = {name: {deb.sha256 for deb in lock} for name, lock in locks.items()}
    assert own["amd64"] != own["arm64"]


@pytest.mark.parametrize("name", NODE_LOCKS)
def test_what_the_node_and_tests_use_has_a_lock_for_each(name: str) -> None:
    locks = [debs.read_lock(platform_images.lock_of(name, kind)) for kind in KNOWN.values()]
    assert {deb.name for deb in locks[0]} == {deb.name for deb in locks[1]}
    assert {deb.sha256 for deb in locks[0]} != {deb.sha256 for deb in locks[1]}


def test_keys_of_parts_and_images_tell_the_two_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A home that both share never gives one the programs of the other."""

    def keys() -> set[str]:
        return {row.key for row in PARTS if row.name != "charts"} | {
            platform_images.identity(one) for one in (*platform_images.NODE, *platform_images.DEPLOYED)
        }

    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    before = keys()
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    assert not before & keys()


def test_paths_and_names_follow(arm64: None) -> None:
    root = paths.REPO / "root"
    assert rootfs.loader(root)[0] == str(root / "lib/ld-linux-aarch64.so.1")
    assert f"{root}/usr/lib/aarch64-linux-gnu" in rootfs.loader(root)[2]
    assert "--platform=manylinux_2_28_aarch64" in rootfs.target(architecture.here())
    assert rootfs.lock_of(BASES[0]).name == "python.arm64.debs"
    assert sbom.Component("deb", "libc6", "1").purl == "pkg:deb/debian/libc6@1?arch=arm64&distro=debian-12"


def test_an_image_says_for_which_it_is(arm64: None, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    layer = oci.layer_from_dir(tmp_path / "root", tmp_path)
    image = oci.write_image("garrison.example/x:1", [layer], entrypoint=["/x"], out=tmp_path)
    assert b'"architecture":"arm64"' in image.path.read_bytes()


def test_no_other_module_of_the_harness_names_a_processor() -> None:
    for file in paths.HARNESS.rglob("*.py"):
        if file.name != "architecture.py":
            text = file.read_text().replace("AMD64.name", "").replace("import AMD64, ARM64", "")
            assert not NAMES.search(text), file
