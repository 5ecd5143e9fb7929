"""The estate's images in a real registry on loopback: pushed by digest, taken from there in place of being built."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from garrison import images as read
from harness import assembly, build, images, oci, registry, ways
from harness.errors import HarnessError
from harness.recipes import UP


@pytest.fixture(scope="module")
def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def name(blobs: Path) -> Iterator[str]:
    with registry.served(blobs) as host:
        yield f"{host}/team"


@pytest.fixture(scope="module")
def built() -> list[oci.Image]:
    return images.service_images()


@pytest.fixture(scope="module")
def lock(name: str, built: list[oci.Image], tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What `images push` prints, after everything was pushed, as a program reads it."""
    file = tmp_path_factory.mktemp("lock") / "images.lock"
    file.write_text(images.push(name) + "\n")
    return dict(read(file))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> Path:
    """Another machine: nothing in its cache, and the registry to take images from; its tools are this one's."""
    crane = build.binary("crane")
    monkeypatch.setattr(build, "binary", lambda tool: crane)
    monkeypatch.setattr(assembly, "base", lambda base: pytest.fail(f"{base} was built"))
    for variable in ("GARRISON_CACHE", "GARRISON_STATE"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.setenv(ways.REGISTRY, name)
    return tmp_path


def test_the_lock_names_every_image_there_by_its_digest(name: str, lock: dict[str, str]) -> None:
    pins = images.read_pins()
    assert set(lock) == set(UP)
    for image, pinned in lock.items():
        assert pinned.startswith(f"{name}/") and pinned.endswith(pins[image].partition("@")[2])
    assert lock["envoy"].startswith(f"{name}/envoyproxy/envoy@")


def test_what_comes_back_by_digest_is_what_was_pushed(
    elsewhere: Path, lock: dict[str, str], built: list[oci.Image]
) -> None:
    """Byte for byte, bills of materials too, under the names that the program knows."""
    images.built_here().parent.mkdir()
    images.built_here().write_text("# what an earlier build here had noted")
    taken = images.service_images()
    assert not images.built_here().exists()
    assert [(image.reference, image.digest) for image in taken] == [(image.reference, image.digest) for image in built]
    for here, there in zip(built, taken, strict=True):
        assert there.path.is_relative_to(elsewhere)
        assert oci.file_digest(there.path) == oci.file_digest(here.path)
        for bill in (assembly.CYCLONEDX, assembly.SPDX):
            assert (there.path.parent / bill).read_bytes() == (here.path.parent / bill).read_bytes()


def test_a_registry_that_has_been_tampered_with_is_refused(
    elsewhere: Path, lock: dict[str, str], blobs: Path, name: str, built: list[oci.Image]
) -> None:
    pins = images.read_pins()
    assert registry.image("nats", pins, name).digest == pins["nats"].partition("@")[2]
    layer = oci.manifest_of(images.of("redis", built).path)["layers"][0]["digest"]
    (file,) = (path for path in blobs.rglob("*") if path.is_file() and layer[7:] in str(path))
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        with pytest.raises(HarnessError, match=rf"^taking {re.escape(name)}/library/redis@sha256:"):
            registry.image("redis", pins, name)
    finally:
        file.write_bytes(whole)
    assert not list((elsewhere / "GARRISON_CACHE/images").glob("pulled-redis*"))
    assert registry.image("redis", pins, name).digest == pins["redis"].partition("@")[2]


def test_what_is_not_there_or_not_pinned_is_said_in_one_line(elsewhere: Path, lock: dict[str, str], name: str) -> None:
    absent = {"nats": "docker.io/library/nats@sha256:" + "1" * 64}
    with pytest.raises(HarnessError, match=r"^taking .*/library/nats@sha256:1+: .*MANIFEST_UNKNOWN") as caught:
        registry.image("nats", absent, name)
    assert "\n" not in str(caught.value)
    with pytest.raises(HarnessError, match="nats has no pinned digest"):
        registry.image("nats", {}, name)


@pytest.mark.parametrize("wrong", ["https://registry.example", "registry.example/a b", "-x", "registry.example/"])
def test_what_is_no_registry_is_refused_before_anything_is_pushed(wrong: str) -> None:
    with pytest.raises(HarnessError, match=r"is no registry: HOST\[:PORT\]\[/PATH\] is meant"):
        ways.checked(wrong)
    assert ways.checked("registry.example:5000/team") == "registry.example:5000/team"
