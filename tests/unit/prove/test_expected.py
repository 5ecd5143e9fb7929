"""The laws of the expectation: what is declared must pass, everything else must be refused, and everything is tried."""

from __future__ import annotations

from hypothesis import given, settings

from garrison import App
from garrison import defaults as d
from garrison.derive.secrets import PLATFORM
from garrison.model.graph import Call, Graph, Operation, Target
from garrison.prove.expect.expected import expected, sources
from garrison.prove.expect.samples import covers, declared, sample, undeclared
from garrison.prove.model import Certify, Connect, Hold, Kind, Probe, Request
from garrison.words import Ref
from unit.estates import DIGEST, apps, empty_app, shop_app

LAW = settings(max_examples=10)  # a random estate has a thousand probes
REFUSED_KINDS = {
    "plaintext",
    "no certificate",
    "wrong trust domain",
    "wrong authority",
    "TLS 1.2",
    "application port",
    "health port",
}


def within(graph: Graph) -> list[Call]:
    """The calls between services; those to hosts outside have laws of their own (test_outside.py)."""
    return [call for call in graph.calls if call.callee.namespace]


def calls_of(graph: Graph) -> set[tuple[Ref, Ref, str]]:
    """What may be done, in the report's words."""
    return {(c.caller, c.callee, what) for c in within(graph) for what in [*map(str, c.operations)] or ["connect"]}


def callees(graph: Graph) -> set[Ref]:
    """Who can be called at all."""
    return {target.ref for target in graph.protocols}


def refused_at(graph: Graph, ref: Ref) -> set[str]:
    """Of a worker there is one port, and none for callers."""
    return REFUSED_KINDS if ref in callees(graph) else {"health port"}


def closed_requests(graph: Graph) -> list[Probe]:
    return [p for p in expected(graph) if p.phase == "closed" and p.target.role == "service"]


@LAW
@given(apps())
def test_allowed_requests_are_exactly_the_declared_operations(app: App) -> None:
    graph = app.graph()
    passed = {(p.source.ref, p.target.ref, p.operation) for p in closed_requests(graph) if p.expected == "allowed"}
    assert passed == calls_of(graph)


@LAW
@given(apps())
def test_each_declared_operation_is_tried_through_the_proxy_and_with_the_own_certificate(app: App) -> None:
    graph = app.graph()
    ways = [
        (p.source.ref, p.target.ref, p.operation, p.attempt.through_proxy)
        for p in closed_requests(graph)
        if p.expected == "allowed" and isinstance(p.attempt, Request | Hold)
    ]
    assert sorted(ways) == sorted((a, b, o, via) for a, b, o in calls_of(graph) for via in (False, True))


@LAW
@given(apps())
def test_no_request_that_must_be_refused_is_covered_by_a_declaration(app: App) -> None:
    graph = app.graph()
    for probe in expected(graph):
        if probe.kind in (Kind.WITHOUT_TOKEN, Kind.STEERED):  # what is declared, and something else is wrong
            continue
        if probe.layers == {"authorization"} and isinstance(probe.attempt, Request) and not probe.attempt.claims:
            mine = declared(graph, probe.source.ref, Target(probe.target.ref))
            assert not any(covers(operation, probe.attempt.operation) for operation in mine)


@LAW
@given(apps())
def test_every_ordered_pair_is_approached_in_every_forbidden_way(app: App) -> None:
    graph = app.graph()
    seen: dict[tuple[str, str], set[str]] = {}
    for probe in closed_requests(graph):
        if probe.expected == "refused":
            seen.setdefault((str(probe.source), str(probe.target)), set()).add(probe.kind)
    for target in graph.services:
        for source in [s.ref for s in graph.services if s.ref != target.ref] + [db.ref for db in graph.databases]:
            assert seen[str(source), str(target.ref)] >= refused_at(graph, target.ref)
        for stray in [f"undeclared pod in {n}" for n in graph.namespaces] + ["undeclared namespace"]:
            assert seen[stray, str(target.ref)] >= refused_at(graph, target.ref)
        assert seen["outside", str(target.ref)] == {"node address"}


@LAW
@given(apps())
def test_undeclared_pairs_meet_the_network_and_declared_pairs_what_comes_after_it(app: App) -> None:
    graph = app.graph()
    pairs = {(c.caller, c.callee) for c in within(graph)}
    for probe in closed_requests(graph):
        if probe.expected == "allowed" or probe.source.role == "outside":
            continue
        behind = (probe.source.ref, probe.target.ref) in pairs and probe.port == d.MTLS_PORT
        assert (probe.layers == {"network"}) != behind


@LAW
@given(apps())
def test_with_the_network_opened_nothing_is_left_to_the_network(app: App) -> None:
    graph = app.graph()
    opened = [p for p in expected(graph) if p.phase == "network open"]
    assert all("network" not in p.layers for p in opened)
    assert {p.kind for p in opened if p.expected == "allowed"} <= {"control", "application port"}
    assert {(p.source, p.target) for p in opened if p.target.role == "service"} >= {
        (p.source, p.target)
        for p in closed_requests(graph)
        if p.source.role != "outside" and p.target.ref in callees(graph)
    }


@LAW
@given(apps())
def test_an_application_on_every_address_is_shown_to_have_the_network_alone(app: App) -> None:
    graph = app.graph()
    tried = [p for p in expected(graph) if p.kind == Kind.APPLICATION_PORT and p.phase == "network open"]
    assert {p.target.ref for p in tried} <= callees(graph)
    for probe in tried:
        everywhere = graph.by_ref[probe.target.ref].bind == "all"
        assert probe.layers == (set() if everywhere else {"workload"})
    assert {p.target.ref for p in tried} == {
        p.target.ref for p in closed_requests(graph) if p.kind == "application port"
    }


@LAW
@given(apps())
def test_at_targets_without_demands_only_declared_pairs_pass(app: App) -> None:
    graph = app.graph()
    pairs = {(c.caller, c.callee) for c in within(graph)}
    for probe in expected(graph):
        if probe.phase == "identity open":
            assert (probe.expected == "allowed") == ((probe.source.ref, probe.target.ref) in pairs)
            assert probe.expected == "allowed" or probe.layers == {"network"}


@LAW
@given(apps())
def test_every_declared_pair_is_tried_with_claims_and_an_old_session_and_no_other(app: App) -> None:
    graph = app.graph()
    everyone = {(call.caller, call.callee) for call in within(graph)}
    by_http = {(call.caller, call.callee) for call in within(graph) if graph.protocols[call.target] == "http"}
    for kind, layer, pairs in ((Kind.CLAIMED, "authorization", by_http), (Kind.RESUMED, "identity", everyone)):
        mine = [p for p in expected(graph) if p.kind == kind and p.target.role == "service"]
        assert {(p.source.ref, p.target.ref) for p in mine} == pairs
        assert len(mine) == len(pairs)
        assert {(p.phase, p.layers) for p in mine} <= {("closed", frozenset({layer}))}


@LAW
@given(apps())
def test_an_identity_of_nobody_is_shown_to_every_callee_by_whoever_has_none(app: App) -> None:
    graph = app.graph()
    shown = {
        (p.source, p.target.ref) for p in expected(graph) if p.kind == Kind.UNDECLARED_IDENTITY and p.target.namespace
    }
    nobodies = {source for source in sources(graph, PLATFORM) if source.role != "service"}
    assert shown == {(source, call.callee) for source in nobodies for call in within(graph)}


@LAW
@given(apps())
def test_every_name_that_opens_something_is_asked_for_beside_the_own_one(app: App) -> None:
    graph = app.graph()
    asked = {p.attempt.name: p for p in expected(graph) if isinstance(p.attempt, Certify)}
    names = {graph.spiffe_id(one.ref) for one in graph.workloads}
    names |= {graph.spiffe_id(d.EGRESS)} if graph.leaves else set()
    names |= {f"{database.ref.name}.{database.ref.namespace}.svc" for database in graph.databases}
    if graph.uses or graph.reads:
        names |= {"openbao", "openbao.openbao.svc"}
    assert {name for name, p in asked.items() if p.kind == Kind.ANOTHERS_IDENTITY} == names
    own, by_hand = (
        [p for p in expected(graph) if p.kind == kind] for kind in (Kind.OWN_IDENTITY, Kind.REQUEST_BY_HAND)
    )
    assert [p.expected for p in own + by_hand] == ["allowed", "refused"]


@LAW
@given(apps())
def test_probes_are_distinct_and_in_a_stable_order(app: App) -> None:
    graph = app.graph()
    probes = expected(graph)
    assert probes == expected(Graph.from_json(graph.to_json()))
    assert len({(p.source, p.target, p.port, p.attempt, p.phase) for p in probes}) == len(probes)


@LAW
@given(apps())
def test_nobody_without_a_use_gets_further_than_the_network_at_a_database(app: App) -> None:
    graph = app.graph()
    users = {(use.service, use.database) for use in graph.uses}
    for probe in expected(graph, layers=False):
        if probe.target.role == "database" and probe.source.role != "outside":
            assert isinstance(probe.attempt, Connect) != ((probe.source.ref, probe.target.ref) in users)


def test_without_layers_only_the_estate_as_it_is() -> None:
    assert {p.phase for p in expected(shop_app().graph(), layers=False)} == {"closed"}


def test_undeclared_operations_are_those_of_others_another_method_and_another_path() -> None:
    app = empty_app()
    shop = app.namespace("shop")
    orders, claims, payments = (
        shop.service(name, image="registry.example/s" + DIGEST, port=8080) for name in ("orders", "claims", "payments")
    )
    orders.calls(payments, "POST /charges")
    claims.calls(payments, "POST /refunds")
    found = list(undeclared(app.graph(), Ref("shop", "orders"), Target(Ref("shop", "payments"))))
    assert Operation("POST", "/refunds") in found
    assert Operation("POST", "/charges/garrison-probe") in found
    assert any(o.path == "/charges" and o.method != "POST" for o in found)
    assert Operation("POST", "/charges") not in found


def test_a_sample_is_covered_by_its_own_template_and_by_no_longer_path() -> None:
    operation = Operation("GET", "/items/{id}")
    assert covers(operation, sample(operation))
    assert not covers(operation, Operation("GET", "/items/1/2"))
    assert not covers(operation, Operation("GET", "/items/"))
    assert not covers(operation, Operation("POST", "/items/1"))


def test_the_estate_has_the_secret_and_database_probes_of_the_issue() -> None:
    payments = {
        p.kind
        for p in expected(shop_app().graph())
        if str(p.source) == "bank/payments" and p.target.role in ("store", "database")
    }
    assert payments >= {
        "own secret",
        "undeclared secret",
        "wrong audience",
        "plaintext",
        "TLS 1.2",
        "leased credentials",
        "expired lease",
        "open session of an ended lease",
        "wrong certificate",
        "no credentials",
    }
    stolen = [p for p in expected(shop_app().graph()) if p.kind == "another's secret"]
    assert {str(p.source) for p in stolen} == {"bank/audit", "shop/catalog", "shop/orders"}
