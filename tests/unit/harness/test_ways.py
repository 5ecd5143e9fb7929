"""What comes from elsewhere is said by the environment: by digest, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import node, tools, ways
from harness.errors import HarnessError
from harness.parts import PARTS, UP
from harness.ways import Ways

NODE = "kindest/node:v1.36.3@sha256:" + "1" * 64
MIRROR = "registry.example:5000/mirror/" + NODE


def test_without_a_word_everything_is_made_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (ways.NODE, ways.REGISTRY):
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
