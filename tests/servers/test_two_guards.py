"""The guards of two Apps on one real API server: each lets its own deployer deploy, and keeps the other's out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from garrison.cluster import Cluster
from garrison.derive import render
from garrison.model.graph import Graph
from garrison_policies.places import whole
from harness.plugin.api import Api
from harness.plugin.testing.apiserver import ControlPlane
from servers import certmanager
from servers.enforcing import in_force
from servers.test_guard import RBAC, obj, said, speaking
from unit.neighbours import together

pytest_plugins = ["harness.plugin.testing.fixtures"]
GRAPHS = {graph.name: graph for graph in together()}
CLUSTERS = {name: Cluster(deployers=(f"user:{name}-ops",)) for name in GRAPHS}


@pytest.fixture(scope="module")
def server(plane: ControlPlane) -> Iterator[ControlPlane]:
    """The bank's stack makes the rules of the cluster and its guard, the shop's its guard alone."""
    certmanager.install(plane)
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    for name, graph in GRAPHS.items():
        plane.api.apply(next(item for item in render(graph) if item["kind"] == "Namespace"), "test")
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": f"{name}-ops"}
        plane.api.apply(obj(RBAC, "ClusterRoleBinding", "", f"{name}-ops", roleRef=role, subjects=[subject]), "test")
    made = whole.of_the_cluster(CLUSTERS["bank"])
    made += [item for name, graph in GRAPHS.items() for item in whole.of_the_estate(graph, CLUSTERS[name])]
    with in_force(plane, made):
        yield plane


def ops(plane: ControlPlane, name: str) -> Api:
    return speaking(plane, f"{name}-ops")


def answers(api: Api, graph: Graph) -> dict[str, str]:
    """What the server says to each object of an App, but for the namespace, which is there."""
    items = [item for item in render(graph) if item["kind"] != "Namespace"]
    return {f"{item['kind']} {item['metadata']['name']}": said(api, item) for item in items}


@pytest.mark.parametrize("name", GRAPHS)
def test_each_deployer_deploys_all_of_its_own_app(server: ControlPlane, name: str) -> None:
    found = answers(ops(server, name), GRAPHS[name])
    assert len(found) > 10
    assert {what: text for what, text in found.items() if text} == {}


@pytest.mark.parametrize(("name", "other"), [("shop", "bank"), ("bank", "shop")])
def test_and_nothing_of_the_other(server: ControlPlane, name: str, other: str) -> None:
    found = answers(ops(server, name), GRAPHS[other])
    assert {what: text for what, text in found.items() if f"'garrison-estate-{other}'" not in text} == {}


def test_the_rules_of_the_one_stack_hold_for_both(server: ControlPlane) -> None:
    for name in GRAPHS:
        anything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        assert "'garrison-roles'" in said(ops(server, name), obj(RBAC, "Role", name, "all", rules=[anything]))
