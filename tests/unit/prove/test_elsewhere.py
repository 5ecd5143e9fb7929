"""The laws of the expectation between two Apps: each proof tries its own pods, at its own services and at theirs."""

from __future__ import annotations

from typing import cast

import pytest

from garrison.cluster import Cluster
from garrison.derive.names import admission_policy, guard_of
from garrison.derive.secrets import PLATFORM
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.drill.cuts import Cut, cuts
from garrison.prove.expect import elsewhere
from garrison.prove.expect.expected import expected, sources
from garrison.prove.judge.report import axes, matrix
from garrison.prove.kubectl import Kubectl
from garrison.prove.look.finding import Finder
from garrison.prove.look.pods import where
from garrison.prove.look.session import Session
from garrison.prove.look.world import Place, World, specs
from garrison.prove.model import FREE, Kind, Party, Probe, ProveError, Request, Result, Seen
from garrison.words import Ref
from garrison_policies.places import whole
from unit.estates import DIGEST
from unit.neighbours import ORDERS, PAYMENTS, alone, bank, shop, together
from unit.prove.test_cuts import Rendered

ORDERS_PARTY, CATALOG = Party("service", "shop", "orders"), Party("service", "shop", "catalog")
THERE, AUDIT = Party("elsewhere", "bank", "payments"), Party("elsewhere", "bank", "audit")


def at(graph: Graph, target: Party) -> list[Probe]:
    return [probe for probe in expected(graph) if probe.target == target]


def test_the_call_across_is_allowed_once_by_each_way_and_only_where_both_halves_are() -> None:
    passed = [(p.source, p.kind, p.operation) for p in at(together()[0], THERE) if p.expected == "allowed"]
    assert passed == [(ORDERS_PARTY, kind, "POST /charges") for kind in (Kind.DECLARED, Kind.DIRECT)]
    knowing = shop()
    knowing.elsewhere(together()[1])
    found = at(knowing.graph(), THERE)
    assert found
    assert {p.expected for p in found} == {"refused"}, "admitted there and not said here: their half alone"
    assert at(alone()[0], THERE) == [], "who knows nobody tries nobody"


def test_what_the_caller_may_not_do_there_is_refused_by_them() -> None:
    graph = shop(bank(alone()[0], "POST /charges", "GET /charges/{id}").graph(), "POST /charges").graph()
    mine = [p for p in at(graph, THERE) if p.source == ORDERS_PARTY]
    beyond = {p.operation for p in mine if p.kind == Kind.UNDECLARED}
    assert beyond == {"POST /charges/garrison-probe", "OPTIONS /charges"}
    assert {p.layers for p in mine if p.kind == Kind.UNDECLARED} == {frozenset({"authorization"})}
    in_the_handshake = {Kind.PLAINTEXT, Kind.NO_CERTIFICATE, Kind.WRONG_DOMAIN, Kind.WRONG_AUTHORITY, Kind.OLD_TLS}
    assert {p.kind for p in mine if p.layers == {"identity"}} == {*in_the_handshake, Kind.RESUMED, Kind.IMPOSTOR}


def test_everybody_else_is_kept_in_here_and_out_there() -> None:
    graph = together()[0]
    for source in sources(graph, PLATFORM):
        for target in (THERE, AUDIT):
            if (source, target) != (ORDERS_PARTY, THERE):
                mine = [p for p in at(graph, target) if p.source == source]
                assert {p.layers for p in mine} == {frozenset({"network"})}, (source, target)
                assert {p.phase for p in mine} == {"closed", "network open"}, "also with the way out opened"
    assert FREE in {p.source for p in at(graph, THERE)}


def test_no_pod_is_started_and_nothing_opened_where_another_app_lives() -> None:
    for graph in together():
        assert {party.namespace for party in sources(graph, PLATFORM) if party != FREE} == {*graph.namespaces}
        assert {where(p.source, "run").namespace for p in expected(graph) if p.source.role == "service"} <= {
            *graph.namespaces
        }
    assert elsewhere.callers(together()[1]) == [Ref.parse(ORDERS)], "whose calls its own proof tries, as a line says"
    assert elsewhere.callers(together()[0]) == []


def test_what_another_apps_caller_may_do_here_nobody_of_this_app_may() -> None:
    admitting = together()[1]
    audit = Party("service", "bank", "audit")
    mine = [p for p in at(admitting, Party("service", "bank", "payments")) if p.source == audit]
    beyond = [p for p in mine if p.kind == Kind.UNDECLARED and p.phase == "closed"]
    assert "POST /charges" in {p.operation for p in beyond}
    assert {p.layers for p in beyond} == {frozenset({"authorization"})}


def pod(namespace: str, name: str) -> Manifest:
    ready = {"podIP": "10.0.0.9", "conditions": [{"type": "Ready", "status": "True"}]}
    labels = {"app.kubernetes.io/name": name}
    return {"metadata": {"namespace": namespace, "name": f"{name}-1", "labels": labels}, "status": ready}


class Live:
    """A cluster with these pods."""

    def __init__(self, *pods: Manifest) -> None:
        self.pods = pods

    def items(self, kind: str, **_: str) -> list[Manifest]:
        return [*self.pods] if kind == "pods" else []

    def get(self, *_: str) -> Manifest:
        return {"spec": {"clusterIP": "10.0.0.1"}}


def test_their_pods_are_found_and_asked_for_by_the_name_that_their_certificates_have() -> None:
    graph = together()[0]
    finder = Finder(cast("Kubectl", Live(pod("bank", "payments"), pod("bank", "nobody"))), graph, "run")
    assert [*finder.targets()] == [THERE]
    direct = next(p for p in at(graph, THERE) if p.kind == Kind.DIRECT)
    (spec,) = specs(direct, finder.world([direct], Ref("openbao", "admin"), {})).values()
    assert (spec["host"], spec["tls"]["peer"]) == ("10.0.0.9", "spiffe://estate.example/ns/bank/sa/payments")
    through = next(p for p in at(graph, THERE) if p.kind == Kind.DECLARED)
    (spec,) = specs(through, World(graph, {THERE: (Place("10.0.0.9"),)})).values()
    assert spec["host"] == "127.0.0.1", "through the caller's own proxy"
    missing = next(p for p in at(graph, AUDIT))
    with pytest.raises(ProveError, match="bank/audit of another App has no ready pod: deploy that App"):
        specs(missing, finder.world([missing], Ref("openbao", "admin"), {}))


def test_the_matrix_has_their_services_as_columns_beside_ours() -> None:
    results = [
        Result(p, Seen("allowed" if not p.layers else "refused", next(iter(p.layers), None)))
        for p in expected(together()[0])
    ]
    cells = matrix(results)
    assert [str(column) for column in axes(cells)[1]] == ["shop/catalog", "shop/orders", "bank/audit", PAYMENTS]
    assert cells[ORDERS_PARTY, THERE].text.startswith("✔ 1 ")
    assert cells[CATALOG, THERE].text == "✕ N"


def listed(graph: Graph) -> list[Cut]:
    other = Rendered(together()[1 if graph.name == "shop" else 0])
    cluster = Rendered(graph)
    cluster.manifests += [
        m for m in other.manifests if m["metadata"]["name"] == admission_policy(guard_of(other_of(graph)))
    ]
    return list(cuts(graph, cast("Kubectl", cluster)))


def other_of(graph: Graph) -> str:
    return "bank" if graph.name == "shop" else "shop"


def wide() -> tuple[Graph, Graph]:
    """With a third service, so that somebody can stand in the callee's place."""
    made = shop(together()[1])
    made.namespace("shelf").service("shelf", image="registry.example/s" + DIGEST, port=8080)
    return made.graph(), together()[1]


def test_the_drill_takes_away_what_is_ours_and_misses_it_there() -> None:
    """The caller's policy, and what its proxy demands of a callee; the callee's rule by those of its own App."""
    calling, admitting = wide()
    found = {cut.what: cut for cut in listed(calling)}
    policy = found["NetworkPolicy shop/orders deleted"]
    missed = [p for p in at(calling, THERE) if policy.affected(p) and p.expected == "allowed"]
    assert [p.kind for p in missed] == [Kind.DIRECT]
    pinned = found["proxy configurations without callee's name"]
    assert THERE in pinned.everyone
    assert [item["metadata"]["namespace"] for item in pinned.originals] == ["shop"], "the caller's, not theirs"
    for graph in (calling, admitting):
        for cut in listed(graph):
            spaces = {item["metadata"].get("namespace") for item in (*cut.originals, *cut.weaker)}
            assert spaces <= {None, *graph.namespaces}, f"{cut.what}: of another App"
            guards = {item["metadata"]["name"] for item in cut.originals}
            assert admission_policy(guard_of(other_of(graph))) not in guards, f"{cut.what}: the guard of another App"
            assert any(cut.affected(p) for p in expected(graph)), cut.what
    everything = {item["metadata"]["name"] for cut in listed(calling) for item in cut.originals}
    assert admission_policy(guard_of("shop")) in everything, "the control"
    assert whole.of_the_estate(admitting, Cluster())


def test_a_session_knows_whose_pods_it_copies() -> None:
    graph = together()[0]
    session = Session(cast("Kubectl", Live()), graph, "image", lambda _: None)
    misled = [p for p in at(wide()[0], THERE) if isinstance(p.attempt, Request) and p.attempt.misled]
    assert {p.source for p in misled} == {ORDERS_PARTY}
    assert session.pod_of(ORDERS_PARTY).namespace == "shop"
