"""The drill's list: for any graph, each protection that is taken away is one that some probe has to miss."""

from __future__ import annotations

from copy import deepcopy
from typing import cast

from hypothesis import given, settings

from garrison import App
from garrison.derive import render
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.drill.cuts import KINDS, TELLING, Cut, cuts
from garrison.prove.expect.expected import expected
from garrison.prove.kubectl import Kubectl
from garrison.prove.look.opening import CUTS
from garrison.prove.model import Kind, Request
from unit.estates import DIGEST, apps, shop_app

LAW = settings(max_examples=20)
PLURAL = {"networkpolicies": "NetworkPolicy", "resourcequotas": "ResourceQuota"}


class Rendered:
    """What the list asks of a cluster, answered with the manifests of the graph."""

    def __init__(self, graph: Graph) -> None:
        self.manifests = render(graph)

    def items(self, kind: str, *, namespace: str = "", selector: str = "") -> list[Manifest]:
        assert selector
        return [m for m in self.manifests if m["kind"] == PLURAL.get(kind) and m["metadata"]["namespace"] == namespace]

    def get(self, kind: str, name: str, namespace: str = "") -> Manifest:
        wanted = (kind, name, namespace)
        (found,) = (
            m
            for m in self.manifests
            if (m["kind"].lower(), m["metadata"]["name"], m["metadata"].get("namespace", "")) == wanted
        )
        return deepcopy(found)


def listed(graph: Graph) -> list[Cut]:
    return list(cuts(graph, cast("Kubectl", Rendered(graph))))


@LAW
@given(apps())
def test_every_cut_changes_something_that_a_probe_concerns(app: App) -> None:
    graph = app.graph()
    probes = expected(graph)
    found = listed(graph)
    assert len({cut.what for cut in found}) == len(found)
    for cut in found:
        mine = [probe for probe in probes if cut.affected(probe)]
        assert mine, cut.what
        assert cut.store or cut.weaker != cut.originals
        assert set(cut.everyone) <= {probe.target for probe in mine}
        if cut.what.endswith(" deleted") and cut.layer == "network" and "default-deny" not in cut.what:
            assert any(probe.expected == "allowed" for probe in mine), f"{cut.what}: nothing would be missing"


@LAW
@given(apps())
def test_what_tells_that_a_policy_is_gone_connects_anew(app: App) -> None:
    graph = app.graph()
    for cut in listed(graph):
        if cut.layer == "network":
            mine = [probe.attempt for probe in expected(graph) if cut.affected(probe)]
            assert not [attempt for attempt in mine if isinstance(attempt, Request) and attempt.through_proxy]


def everything() -> Graph:
    """The shop, and a service with a right in the Kubernetes API."""
    app = shop_app()
    extra = app.namespace("extra").service("watcher", image="registry.example/w" + DIGEST, port=8080)
    extra.may("get", "configmaps", "flags")
    return app.graph()


def test_every_kind_is_tried_and_every_kind_that_a_cut_waits_for_is_one_of_them() -> None:
    tried = {probe.kind for probe in expected(everything())}
    assert tried == set(Kind)
    assert all(isinstance(kind, Kind) for kind in (*TELLING, *KINDS.values(), *tried))
    assert {*TELLING, *KINDS.values()} <= tried
    assert set(KINDS) == set(CUTS), "each way to open a proxy has the kind of probe that must notice it"


def test_every_service_is_drilled_and_who_has_no_call_has_a_policy_that_can_only_be_opened() -> None:
    graph = shop_app().graph()
    called = {ref for call in graph.calls for ref in (call.caller, call.callee)}
    lonely = set(graph.by_ref) - called
    assert lonely
    named = {cut.what for cut in listed(graph)}
    assert {f"NetworkPolicy {ref} opened" for ref in graph.by_ref} <= named
    assert {f"NetworkPolicy {ref} deleted" for ref in called} <= named
    assert not {f"NetworkPolicy {ref} deleted" for ref in lonely} & named
    assert {f"proxy configurations without {cut}" for cut in KINDS} <= named
