"""What comes from elsewhere is said by the environment: by digest, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import answering, node, oci, platform_images, shell, tools, ways
from harness.errors import HarnessError
from harness.parts import PARTS, UP, part
from harness.recipes import RECIPES
from harness.ways import Ways

NODE = "kindest/node:v1.36.3@sha256:" + "1" * 64
MIRROR = "registry.example:5000/mirror/" + NODE


def test_without_a_word_everything_is_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (ways.NODE, ways.REGISTRY, ways.UPSTREAM):
        monkeypatch.delenv(variable, raising=False)
    assert ways.chosen() == Ways()
    assert ways.chosen().assembles
    assert ways.chosen().needed(UP) == [*UP]
    assert node.reference().startswith("garrison.local/node:")


@pytest.mark.parametrize("name", [NODE, MIRROR])
def test_upstream_s_node_image_spares_what_is_inside_of_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ways.NODE, name)
    monkeypatch.setattr(tools, "installed", lambda output: None)
    way = ways.chosen()
    assert way.assembles  # the images of the estate still are
    spared = {part.name for part in UP} - {part.name for part in way.needed(UP)}
    assert spared == {"containerd", "etcd", "cni", "kube-router", "coredns", "local-path-provisioner"}
    monkeypatch.setattr(tools, "installed", lambda output: Path("/usr/bin", output))
    assert spared | {"kubernetes"} == {part.name for part in UP} - {part.name for part in way.needed(UP)}
    assert node.reference() == name


def test_what_is_spared_are_parts() -> None:
    assert {part.name for part in PARTS} >= ways._INSIDE | ways._IN_IMAGES


def test_both_together_assemble_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ways.NODE, NODE)
    monkeypatch.setenv(ways.REGISTRY, "registry.example/team")
    assert not ways.chosen().assembles
    assert "nats" not in {part.name for part in ways.chosen().needed(UP)}


@pytest.mark.parametrize("wrong", ["kindest/node", "kindest/node:v1.36.3", "kindest/node@sha256:12", "--privileged"])
def test_a_node_image_by_tag_is_refused(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ways.NODE, wrong)
    with pytest.raises(HarnessError, match=r"^GARRISON_NODE_IMAGE=.*: a node image is named by its digest"):
        ways.chosen()


def test_a_registry_is_no_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ways.REGISTRY, "https://registry.example")
    with pytest.raises(HarnessError, match="is no registry"):
        ways.chosen()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The machine's file of published images, with a node image in it."""
    file = tmp_path / "upstream.lock"
    name, _, digest = ways.KIND.partition("@")
    file.write_text(f'"{name}" = "registry.example/kindest/node@{digest}"\n')
    monkeypatch.delenv(ways.NODE, raising=False)
    monkeypatch.setenv(ways.UPSTREAM, str(file))
    answering.node.cache_clear()
    yield file
    answering.node.cache_clear()


def engine(monkeypatch: pytest.MonkeyPatch, complaint: str) -> list[str]:
    """Docker that has no such image, and says that of the registry; what was asked."""
    asked: list[str] = []

    def run(command: list[str], *, what: str) -> str:
        asked.append(" ".join(command))
        if complaint:
            raise HarnessError(f"{what}: {complaint}")
        return ""

    monkeypatch.setattr(shell, "succeeds", lambda command: False)
    monkeypatch.setattr(shell, "run", run)
    return asked


def test_the_node_image_of_the_file_is_used_where_its_registry_answers(
    file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = engine(monkeypatch, "")
    there = ways.KIND.replace("docker.io", "registry.example").replace(":v1.37.0", "")
    assert ways.chosen().node == ways.chosen().node == there
    assert asked == [f"docker manifest inspect --insecure {there}"]
    assert capfd.readouterr().err == ""
    monkeypatch.setenv(ways.NODE, NODE)  # said by itself, it is not asked for: pulling it will tell
    assert ways.chosen().node == NODE and len(asked) == 1


@pytest.mark.parametrize(
    "complaint", ["dial tcp 192.0.2.1:443: connection refused", "no such manifest: x", "denied: x"]
)
def test_where_none_answers_the_node_is_made_here_and_that_is_said_once(
    complaint: str, file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    engine(monkeypatch, complaint)
    assert ways.chosen().node == ways.chosen().node == ""
    (line,) = capfd.readouterr().err.splitlines()
    assert complaint in line and line.endswith("; the node image is made here")


def test_one_of_another_digest_is_not_replaced_by_ours(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine(monkeypatch, "manifest verification failed for digest sha256:1")
    assert ways.chosen().node  # and pulling it is refused


def test_images_of_the_file_spare_the_parts_that_nothing_else_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ways.NODE, raising=False)
    monkeypatch.setenv(ways.UPSTREAM, str(tmp_path / "f"))
    names = [f"{name}:v1" for made in ways.IMAGES_OF.values() for name in made]
    digest = "@sha256:" + "1" * 64

    def spared(names: list[str]) -> set[str]:
        (tmp_path / "f").write_text("".join(f'"{name}" = "{name[:-3]}{digest}"\n' for name in names))
        return {part.name for part in UP} - {part.name for part in ways.chosen().needed(UP)}

    assert spared(names) == {"nats", "cert-manager", "trust-manager"}
    assert spared([name for name in names if "webhook" not in name]) == {"nats", "trust-manager"}


def test_the_table_of_images_is_that_of_what_is_made() -> None:
    made = {oci.repository(platform.reference): platform.binary for platform in platform_images.DEPLOYED}
    made |= {oci.repository(RECIPES["nats"].reference): "nats-server"}
    for name, images in ways.IMAGES_OF.items():
        assert {made.pop(image) for image in images} == {*part(name).outputs}
    assert not made


def test_the_node_image_is_the_one_that_kind_names_in_its_source() -> None:
    """Its module is checked by go.sum, and so is what it was built into."""
    assert ways.KIND.removeprefix("docker.io/").encode() in (part("kind").folder / "kind").read_bytes()
