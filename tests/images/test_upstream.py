"""Images as their makers publish them, by digest: here a registry on loopback plays their makers', with our own builds
under their names, since none of theirs answers where this is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from garrison import images as read
from harness import (
    artefact,
    assembly,
    build,
    images,
    oci,
    paths,
    platform_images,
    ports,
    registry,
    shell,
    upstream,
    ways,
)
from harness.errors import HarnessError
from harness.recipes import RECIPES
from images.lying import lying

TRUST = next(platform for platform in platform_images.DEPLOYED if platform.binary == "trust-manager")
REDIS, NATS = RECIPES["redis"].reference, RECIPES["nats"].reference


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> oci.Image:
    """NATS as somebody else builds it: what ours has, and a word of theirs."""
    layer = assembly.base("nats").layer
    out = tmp_path_factory.mktemp("nats")
    return oci.write_image(NATS, [layer], entrypoint=["/nats-server"], labels={"maker": "another"}, out=out)


@pytest.fixture(scope="module")
def pushed(others: oci.Image) -> dict[str, oci.Image]:
    return {image.reference: image for image in (platform_images.image(TRUST), assembly.image("redis"), others)}


@pytest.fixture(scope="module")
def name(pushed: dict[str, oci.Image], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A mirror of all makers, that has three of their images, each in the index of processors that its tag means."""
    with registry.served(tmp_path_factory.mktemp("upstream")) as host:
        for reference, image in pushed.items():
            there, tag = (
                registry.push(image, host),
                f"--tag={registry.home(reference, host)}:{reference.rpartition(':')[2]}",
            )
            shell.run([build.binary("crane"), "index", "append", tag, f"--manifest={there}"], what="naming an image")
        yield host


@pytest.fixture(scope="module")
def file(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `harness.upstream pin` prints it."""
    file = tmp_path_factory.mktemp("file") / "upstream.lock"
    # The node image is another test's affair (cluster/foreign.py): nobody is asked for it here.
    lines = [line for line in upstream.pin(name).splitlines() if ways.NODES.partition("/")[2] not in line]
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path) -> Path:
    """Another state, and nothing taken yet."""
    made, folder = artefact.folder, tmp_path / "taken"
    monkeypatch.setattr(
        artefact,
        "folder",
        lambda name, key: folder / f"{name}-{key}" if name.startswith("pulled-") else made(name, key),
    )
    monkeypatch.setenv("GARRISON_CACHE", str(paths.cache()))
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path / "state"))
    monkeypatch.setenv(ways.UPSTREAM, str(file))
    registry._published.cache_clear()
    return folder


def test_the_file_names_what_is_there_by_digest_and_says_what_is_not(
    name: str, pushed: dict[str, oci.Image], capfd: pytest.CaptureFixture[str]
) -> None:
    text = upstream.pin(name)
    for reference, image in pushed.items():
        assert f'"{reference}" = "{registry.home(reference, name)}@{image.digest}"' in text
    node, _, digest = ways.KIND.partition("@")
    assert f'"{node}" = "{name}/kindest/node@{digest}"' in text
    absent = sorted(set(upstream.published()) - set(pushed))
    said = {line for line in text.splitlines()[1:] if line.startswith("#")}
    assert said == {f"# {reference}: not there, made here" for reference in absent}
    assert len(capfd.readouterr().err.splitlines()) == len(absent) == 6


def test_what_is_there_is_taken_and_what_is_not_is_made_with_a_line(
    elsewhere: Path, pushed: dict[str, oci.Image], capfd: pytest.CaptureFixture[str]
) -> None:
    platform = {image.reference: image for image in platform_images.platform_images()}
    estate = {image.reference: image for image in images.service_images()}
    taken = {
        image.reference: image for image in (*platform.values(), *estate.values()) if elsewhere in image.path.parents
    }
    assert {reference: image.digest for reference, image in taken.items()} == {
        reference: image.digest for reference, image in pushed.items()
    }
    for reference, image in taken.items():
        assert oci.file_digest(image.path) == oci.file_digest(pushed[reference].path)
    said = capfd.readouterr().err
    for reference in set(upstream.published()) - set(pushed):
        assert said.count(f"does not name {reference}: made here from source") == 1
    assert "garrison.example" not in said


def test_the_program_of_this_machine_gets_the_makers_digest(
    elsewhere: Path, others: oci.Image, capfd: pytest.CaptureFixture[str]
) -> None:
    images.service_images()
    used, pins = dict(read(images.built_here())), images.read_pins()
    assert used == pins | {"nats": others.pinned} and used != pins  # redis is the same bytes
    assert f"as their makers publish them: nats; this machine uses {images.built_here()}" in capfd.readouterr().err


def test_a_registry_that_does_not_answer_is_said_and_the_image_made(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    silent = f"127.0.0.1:{ports.free_port()}/jetstack/trust-manager@sha256:{'1' * 64}"
    assert _taken(silent, tmp_path, monkeypatch) is None
    assert _taken(silent, tmp_path, monkeypatch) is None
    (line,) = capfd.readouterr().err.splitlines()[-1:]
    assert "connection refused" in line and line.endswith(f"{TRUST.reference} is made here from source")


def test_another_image_under_the_digest_is_refused_and_nothing_is_made_instead(
    elsewhere: Path, pushed: dict[str, oci.Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lying(b"{}") as host, pytest.raises(HarnessError, match=r"^taking .*does not match|mismatch") as caught:
        _taken(f"{host}/jetstack/trust-manager@{pushed[TRUST.reference].digest}", tmp_path, monkeypatch)
    assert "\n" not in str(caught.value)
    assert not list(elsewhere.glob("pulled-trust-manager*"))


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (f'"{REDIS}" = "docker.io/library/redis:7.0-bookworm"', "is named by its digest: docker.io/library/redis@"),
        (f'"{REDIS}" = 7', "is named by its digest"),
        (f"{REDIS} = 7", "cannot be read"),
    ],
)
def test_a_file_that_names_no_digest_is_refused(
    text: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "upstream.lock").write_text(text)
    monkeypatch.setenv(ways.UPSTREAM, str(tmp_path / "upstream.lock"))
    with pytest.raises(HarnessError, match=wrong):
        ways.chosen()


def _taken(there: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> oci.Image | None:
    (folder / "one.lock").write_text(f'"{TRUST.reference}" = "{there}"\n')
    monkeypatch.setenv(ways.UPSTREAM, str(folder / "one.lock"))
    return registry.published(TRUST.reference)
