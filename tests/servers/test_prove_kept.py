"""Putting back on a real API server: the object is as it was and its owner's, and a planted record gives no rights."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest

from garrison.derive import render
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.drill import keep
from garrison.prove.drill.journal import Journal, Kept
from garrison.prove.drill.keep import Original
from garrison.prove.drill.safe import NAME, Safe
from garrison.prove.kubectl import HOME, Kubectl
from garrison.prove.look.opening import anywhere
from garrison.prove.model import ProveError
from harness.build import binary
from harness.plugin.testing.apiserver import ControlPlane
from unit.estates import shop_app

pytest_plugins = ["harness.plugin.testing.fixtures"]
OWNER = "pulumi-kubernetes-1"
DRILLED = ("NetworkPolicy", "ConfigMap", "ResourceQuota", "Namespace")
EVE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "eve"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "User", "name": "eve"}],
}


@pytest.fixture(scope="module")
def kubectl(plane: ControlPlane) -> Iterator[Kubectl]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{binary('kubectl').parent}{os.pathsep}{os.environ['PATH']}")
        yield Kubectl(kubeconfig=str(plane.kubeconfig))


@pytest.fixture(scope="module")
def estate(kubectl: Kubectl) -> Graph:
    """What a drill touches, as a deployment has applied it."""
    graph = shop_app().graph()
    kubectl.apply([item for item in render(graph) if item["kind"] in DRILLED], manager=OWNER)
    return graph


def live(kubectl: Kubectl, kind: str, name: str, namespace: str = "") -> Manifest:
    found = kubectl.find(kind, name, namespace)
    assert found is not None
    return found


def owners(item: Manifest) -> set[str]:
    return {entry["manager"] for entry in item["metadata"]["managedFields"] if entry.get("subresource") != "status"}


def weaker(item: Manifest) -> Manifest:
    """With more than the original has, in a field it has and in one it has not."""
    copy = deepcopy(item)
    copy["metadata"]["annotations"] = {"drill": "was here"}
    if item["kind"] == "NetworkPolicy":
        copy["spec"] |= {"ingress": [{"from": anywhere()}], "egress": [{"to": anywhere()}]}
    elif item["kind"] == "ConfigMap":
        copy["data"] |= {next(iter(item["data"])): "open", "more": "open"}
    else:
        copy["spec"]["hard"] |= {"services.nodeports": "9", "secrets": "9"}
    return copy


@pytest.mark.parametrize(
    ("kind", "namespace", "name"),
    [
        ("NetworkPolicy", "shop", "default-deny"),
        ("NetworkPolicy", "shop", "orders"),
        ("ConfigMap", "bank", "ledger-config"),
        ("ResourceQuota", "bank", "quota"),
    ],
)
@pytest.mark.parametrize("how", ["weakened", "deleted"])
def test_what_is_put_back_is_what_was_there_and_its_owners(
    kubectl: Kubectl, estate: Graph, kind: str, namespace: str, name: str, how: str
) -> None:
    before = live(kubectl, kind, name, namespace)
    if how == "weakened":
        keep.replace(kubectl, weaker(before))
        changed = live(kubectl, kind, name, namespace)
        assert keep.bare(changed) != keep.bare(before), "control: it was weakened"
    else:
        keep.remove(kubectl, before)
        assert kubectl.find(kind, name, namespace) is None, "control: it was gone"
    keep.put_back(kubectl, Original.of(before))
    after = live(kubectl, kind, name, namespace)
    assert keep.bare(after) == keep.bare(before)
    assert owners(after) == owners(before) == {OWNER}


def test_a_label_that_was_taken_off_comes_back(kubectl: Kubectl, estate: Graph) -> None:
    before = live(kubectl, "namespace", "shop")
    kubectl.run("label", "namespace", "shop", "pod-security.kubernetes.io/enforce-")
    keep.put_back(kubectl, Original.of(before))
    after = live(kubectl, "namespace", "shop")
    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"], "a namespace is never made anew"


def test_from_another_machine_the_graph_is_what_comes_back(
    kubectl: Kubectl, estate: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = live(kubectl, "NetworkPolicy", "orders", "shop")
    safe = Safe(kubectl, estate, Journal("uid"), lambda line: None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "mine"))
    safe.save(Kept((Original.of(before),)))
    keep.replace(kubectl, weaker(before))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "theirs"))
    left = safe.left()
    assert left is not None
    safe.put_back(left, None)
    after = live(kubectl, "NetworkPolicy", "orders", "shop")
    assert keep.bare(after) == keep.bare(before)
    assert owners(after) == {OWNER}
    assert safe.left() is None


@pytest.mark.parametrize("home", ["bank", HOME])
def test_a_planted_record_makes_nobody_administrator(
    kubectl: Kubectl, estate: Graph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    eve = {"kind": "ClusterRoleBinding", "namespace": "", "name": "eve", "manager": "eve"}
    data = {"originals.json": json.dumps([EVE]), "objects": json.dumps([eve]), "token": "t", "store-path": ""}
    kubectl.apply(
        [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME, "namespace": home}, "data": data}]
    )
    said: list[str] = []
    safe = Safe(kubectl, estate, Journal("uid"), said.append)
    try:
        if home == HOME:
            with pytest.raises(ProveError, match="ClusterRoleBinding eve, so nothing of it was applied"):
                safe.left()
        else:
            assert safe.left() is None
            assert "nothing of it was applied" in said[0]
        assert kubectl.find("clusterrolebinding", "eve") is None
        kubectl.apply([EVE])
        assert kubectl.find("clusterrolebinding", "eve"), "control: it could have been applied"
    finally:
        kubectl.delete("clusterrolebinding", "eve")
        kubectl.delete("configmap", NAME, f"--namespace={home}")
