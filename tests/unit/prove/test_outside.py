"""The laws of the expectation at hosts outside: what is declared passes the gateway, and everybody tries the rest."""

from __future__ import annotations

from hypothesis import given, settings

from garrison import App, Service
from garrison.derive.mesh import outbound_ports
from garrison.derive.secrets import PLATFORM
from garrison.model.externals import External
from garrison.model.graph import Graph, Target
from garrison.prove.expect.expected import expected, sources
from garrison.prove.expect.outside import METADATA, NODE, externals
from garrison.prove.judge import classify
from garrison.prove.look.world import Place, World, specs, straight_to
from garrison.prove.model import FREE, GATEWAY, Connect, Hold, Kind, OwnTls, Party, Probe, Request
from garrison.words import Ref
from unit.estates import apps, shop_app

LAW = settings(max_examples=10)
FORBIDDEN = {Kind.PLAINTEXT, Kind.NO_CERTIFICATE, Kind.WRONG_DOMAIN, Kind.WRONG_AUTHORITY, Kind.OLD_TLS}


def at_hosts(graph: Graph) -> list[Probe]:
    """Those at the gateway."""
    return [p for p in expected(graph) if p.target.role == "external" and not isinstance(p.attempt, Connect)]


def used_by(graph: Graph) -> set[tuple[Ref, Ref, str]]:
    said = [call for call in graph.calls if not call.callee.namespace]
    return {(c.caller, c.callee, what) for c in said for what in [*map(str, c.operations)] or ["connect"]}


@LAW
@given(apps())
def test_what_passes_is_what_is_declared_through_the_proxy_and_with_the_own_certificate(app: App) -> None:
    graph = app.graph()
    passed = [
        (p.source.ref, p.target.ref, p.operation, p.attempt.through_proxy)
        for p in at_hosts(graph)
        if p.expected == "allowed" and isinstance(p.attempt, Request | OwnTls)
    ]
    assert sorted(passed) == sorted((*one, via) for one in used_by(graph) for via in (False, True))
    assert all(p.expected == "refused" for p in at_hosts(graph) if isinstance(p.attempt, Hold))


@LAW
@given(apps())
def test_everybody_is_refused_in_every_way_by_the_network_or_behind_it_in_the_handshake(app: App) -> None:
    graph = app.graph()
    leaving = {caller for caller, _, _ in used_by(graph)}
    for source in sources(graph, PLATFORM):
        for target in externals(graph):
            mine = [p for p in at_hosts(graph) if (p.source, p.target) == (source, target) and p.kind in FORBIDDEN]
            assert {p.kind for p in mine if p.phase == "closed"} == FORBIDDEN
            near = "identity" if source.role == "service" and source.ref in leaving else "network"
            assert {p.layers for p in mine if p.phase == "closed"} == {frozenset({near})}
            behind = {p.layers for p in mine if p.phase == "network open"}
            assert behind == (set() if near == "identity" else {frozenset({"identity"})})


@LAW
@given(apps())
def test_nobody_gets_around_the_gateway_and_it_gets_out_to_the_declared_hosts_alone(app: App) -> None:
    graph = app.graph()
    straight = [p for p in expected(graph) if p.target.role == "external" and isinstance(p.attempt, Connect)]
    hosts = externals(graph)
    assert {(p.source, p.target) for p in straight} == {
        (source, target)
        for source in sources(graph, PLATFORM)
        if hosts and source != FREE
        for target in (METADATA, NODE, *hosts)
    }
    out = {(p.source, p.target) for p in straight if p.expected == "allowed"}
    assert out == {(GATEWAY, target) for target in hosts}
    assert all(p.port == External.of(p.target.ref).port for p in straight if p.target in hosts)


def estate() -> Graph:
    app = shop_app()
    psp = app.external("api.psp.example", port=8443)
    Service(Ref("shop", "orders"), app).calls(psp, "POST /v1/charges")
    Service(Ref("bank", "audit"), app).connects(psp)
    return app.graph()


def spec(kind: Kind, source: str, phase: str = "closed") -> dict[str, object]:
    graph, there = estate(), (Place("10.0.0.9"),)
    at_host = [p for p in expected(graph) if p.target.role == "external" and p.kind == kind and p.phase == phase]
    probe = next(p for p in at_host if str(p.source) == source)
    known: dict[Party, tuple[Place, ...]] = dict.fromkeys((*externals(graph), METADATA, NODE), there)
    (found,) = specs(probe, World(graph, known, gateways={"mistaken": (Place("10.0.0.10"),)})).values()
    return found


def test_a_probe_asks_for_the_host_by_the_gateways_name_for_it() -> None:
    direct = spec(Kind.DIRECT, "shop/orders")
    assert (direct["host"], direct["port"]) == ("10.0.0.9", 8443)
    assert direct["tls"]["sni"] == "calls.8443.api.psp.example"  # type: ignore[index]
    assert direct["tls"]["peer"] == "spiffe://estate.example/ns/egress/sa/gateway"  # type: ignore[index]
    own = spec(Kind.DIRECT, "bank/audit")
    assert (own["action"], own["inner"]) == ("inner", "api.psp.example")
    assert own["tls"]["sni"] == "connects.8443.api.psp.example"  # type: ignore[index]
    assert spec(Kind.WRONG_HOST, "shop/orders")["host"] == "10.0.0.10"
    through = spec(Kind.DECLARED, "bank/audit")
    port = outbound_ports(estate(), Ref("bank", "audit"))[Target(Ref("", "api.psp.example:8443"))]
    assert (through["host"], through["port"], "tls" in through) == ("127.0.0.1", port, False)


def test_straight_out_is_to_the_host_itself() -> None:
    found = spec(Kind.WAY_OUT, "egress/gateway")
    assert found == {"action": "connect", "host": "api.psp.example", "port": 8443}


def test_who_can_ask_nobody_for_a_name_goes_to_the_addresses_that_the_gateway_is_told() -> None:
    graph = estate()
    probe = next(p for p in expected(graph) if p.kind == Kind.AROUND and straight_to(p) == "api.psp.example")
    found = specs(probe, World(graph, {}, outside={"api.psp.example": ("192.0.2.1", "192.0.2.2")})).values()
    assert [attempt["host"] for attempt in found] == ["192.0.2.1", "192.0.2.2"]
    inside = [p for p in expected(graph) if p.kind == Kind.AROUND and not straight_to(p)]
    assert {p.target.name for p in inside} >= {METADATA.name}, "what is known by its address stays so"


def test_the_ends_of_an_own_handshake_are_told_apart() -> None:
    def seen(attempt: OwnTls, stage: str, error: str = "closed") -> tuple[str, str | None]:
        found = classify.read(attempt, {"stage": stage, "error": error, "status": 0, "body": ""})
        return found.verdict, found.layer

    direct, through = OwnTls("a.example"), OwnTls("a.example", through_proxy=True)
    assert seen(direct, "inner", "") == ("allowed", None)
    assert seen(direct, "tls") == ("refused", "authorization")
    assert seen(direct, "tcp", "alert: certificate unknown") == ("refused", "identity")
    assert seen(through, "tcp") == ("refused", "network")
    assert seen(direct, "none", "unresolved") == ("error", None), "a name without an answer proves nothing"
