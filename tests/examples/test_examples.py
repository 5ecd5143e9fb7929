"""Six public applications as programs: their edges and variables are upstream's, every object keeps the rules, and what
is derived lets each real edge pass and nothing else.
"""

from __future__ import annotations

from typing import Any

import pytest

from examples.reach import Reached, by_network, reached
from examples.tables import APPS, edges, graph, program, variables
from garrison import Graph, IntentError, deploy, render
from garrison import defaults as d
from garrison.declare.program import ProgramError, images, load
from garrison.deployment.vault import StoreConnection
from garrison.findings import Severity
from garrison.prove.expect.expected import expected
from garrison.prove.model import Kind
from garrison_policies.language.evaluate import evaluate
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.rules import RULES
from harness.paths import REPO

Json = dict[str, Any]
# Advice that the applications' own images decide: one copy of what keeps data or makes load, users that they were built
# with. Nothing here is excepted: these two are below what `garrison check` fails on, and each is looked for by name.
ADVICE = {"single-replica", "high-user-id"}


def test_online_boutique_takes_sixty_lines() -> None:
    assert len(program("online_boutique").read_text().splitlines()) <= 60


@pytest.mark.parametrize("app", APPS)
def test_the_edges_are_upstreams(app: str) -> None:
    its = graph(app)
    derived = {(call.caller.name, _named(its, call), _spoken(its, call), _told(its, call)) for call in its.calls}
    assert derived == {(e.caller, e.callee, e.protocol, frozenset(e.told.split())) for e in edges(app)}


def _named(its: Graph, call: Any) -> str:
    return f"{call.callee.name}:{call.port}" if call.port else str(call.callee.name)


def _spoken(its: Graph, call: Any) -> str:
    return its.protocols[call.target] if call.callee.namespace else "outside"


def _told(its: Graph, call: Any) -> frozenset[str]:
    """The variables and the alias that tell where a callee is; the usual variable where nothing was said."""
    told = call.env or (() if call.alias else its.told(call))
    return frozenset([*(name for name, _ in told), *([call.alias] if call.alias else [])])


@pytest.mark.parametrize("app", APPS)
def test_each_workload_has_upstreams_variables(app: str) -> None:
    its = graph(app)
    rendered = {m["metadata"]["name"]: _environment(m) for m in render(its) if _is_workload(its, m)}
    edge = {(c.caller.name, name) for c in its.calls for name, _ in its.told(c)}
    for one in variables(app):
        found = rendered[one.workload].get(one.variable)
        if one.kind == "none":
            assert found is None, f"{one.workload} has {one.variable}: {one.why}"
        elif one.kind in ("setting", "changed", "port", "edge"):
            assert found is not None, f"{one.workload} lacks {one.variable}"
            assert ((one.workload, one.variable) in edge) == (one.kind == "edge"), one
        elif one.kind in ("secret", "file"):
            assert {one.variable, f"{one.variable}_FILE"} & {*rendered[one.workload]}, f"{one.workload}: {one.variable}"
    known = {(one.workload, one.variable) for one in variables(app)} | {
        (one.workload, f"{one.variable}_FILE") for one in variables(app) if one.kind == "file"
    }
    given = {(name, variable) for name, found in rendered.items() for variable in found}
    ours = {(name, variable) for name in rendered for variable in ("HOST", "PORT")}
    assert given - known - ours - _default_addresses(its) - _from_the_store(given, its) == set()


def _default_addresses(its: Graph) -> set[tuple[str, str]]:
    """What a callee is called where the application knows it by a name in its image: not upstream's, and no harm."""
    return {(c.caller.name, name) for c in its.calls if not c.env for name, _ in its.told(c)}


def _from_the_store(given: set[tuple[str, str]], its: Graph) -> set[tuple[str, str]]:
    """Files of secrets under Garrison's own names, beside the application's."""
    return {(read.service.name, name) for read in its.reads if not read.env for name, _ in read.told} & given


def _is_workload(its: Graph, item: Json) -> bool:
    return (
        item["kind"] in ("Deployment", "StatefulSet", "Job", "CronJob")
        and item["metadata"]["namespace"] in its.namespaces
    )


def _environment(item: Json) -> dict[str, str]:
    spec = item["spec"]["jobTemplate"]["spec"] if item["kind"] == "CronJob" else item["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    names = [one["name"] for one in container["env"]]
    assert len(names) == len({*names}), f"{item['metadata']['name']} has a variable twice"
    return {one["name"]: one.get("value", "") for one in container["env"]}


@pytest.mark.parametrize("app", APPS)
def test_every_object_keeps_the_rules(app: str) -> None:
    its = graph(app)
    objects = [Object(item, f"examples/{app}.py") for item in render(its)]
    found = list(evaluate(RULES, Inventory(tuple(objects))))
    assert [f"{f.rule} {f.object}: {f.message}" for f in found if f.severity >= Severity.MEDIUM] == []
    named = {(f.rule, f.object.name) for f in found if f.object}
    alone = {s.name for s in its.services if s.replicas == 1}
    built = {s.name for s in its.services if s.container.uid < 10_000}
    wanted = {("single-replica", name) for name in alone} | {("high-user-id", name) for name in built}
    assert {one for one in named if one[0] in ADVICE} == wanted
    assert {rule for rule, _ in named} <= ADVICE


@pytest.mark.parametrize("app", APPS)
def test_each_real_edge_is_reached_and_nothing_else(app: str) -> None:
    its = graph(app)
    home = {service.name: service.namespace for service in its.services}
    home |= {job.ref.name: job.ref.namespace for job in getattr(its, "jobs", ())}
    within = [one for one in edges(app) if one.protocol != "outside"]
    outside = {(_at(home, one.caller), one.callee) for one in edges(app) if one.protocol == "outside"}
    found = {one for one in reached(render(its)) if one.caller[0] in its.namespaces and one.callee != EDGE}
    assert {(one.caller, one.callee, one.server_name) for one in found if one.callee != GATEWAY} == {
        (_at(home, one.caller), _at(home, one.pair[1]), _server_name(home, one.callee)) for one in within
    }
    assert {(one.caller, host) for one in found if one.callee == GATEWAY for host in _outside(app, one)} == outside


@pytest.mark.parametrize("app", APPS)
def test_the_policies_alone_let_the_same_pairs_pass(app: str) -> None:
    its = graph(app)
    ours, pairs = {*its.namespaces}, by_network(render(its))
    assert {pair for pair in pairs if pair[0][0] in ours} == {
        (one.caller, one.callee) for one in reached(render(its)) if one.caller[0] in ours
    }
    served = {(EDGE, (route.service.namespace, route.service.name)) for route in its.routes}
    assert {pair for pair in pairs if pair[0][0] not in ours and pair[1][0] in ours} == served


EDGE = (d.EDGE.namespace, d.EDGE.name)  # where what is served to users gets the keys of their tokens
GATEWAY = ("egress", "gateway")


def _outside(app: str, one: Reached) -> list[str]:
    """The hosts outside that the gateway is asked for by this name: one, or the name is of nothing that is declared."""
    found = [e.callee for e in edges(app) if e.protocol == "outside" and one.server_name.endswith(f".{e.callee}")]
    return found or [one.server_name]


def _at(home: dict[str, str], name: str) -> tuple[str, str]:
    return home[name], name


def _server_name(home: dict[str, str], callee: str) -> str:
    name, _, port = callee.partition(":")
    host = f"{name}.{home[name]}.{d.CLUSTER_DOMAIN}"
    return f"{port}.{host}" if port else host


@pytest.mark.parametrize("app", APPS)
def test_the_proof_would_try_each_edge(app: str) -> None:
    its = graph(app)
    tried = {
        (probe.source.name, probe.target.name)
        for probe in expected(its, layers=False)
        if probe.kind is Kind.DECLARED and {probe.source.namespace, probe.target.namespace} <= {*its.namespaces}
    }
    assert tried == {one.pair for one in edges(app) if one.protocol != "outside"}


def test_the_reader_of_reach_sees_a_missing_rule() -> None:
    """The control of this file's own tool: without its rules a sidecar lets in everybody whom the network lets pass."""
    manifests = render(graph("online_boutique"))
    before = reached(manifests)
    for item in manifests:
        if item["metadata"]["name"] == "redis-cart-proxy":
            item["data"]["envoy.json"] = item["data"]["envoy.json"].replace("sa/cartservice", "sa/emailservice")
    gone = before - reached(manifests)
    assert {(one.caller[1], one.callee[1]) for one in gone} == {("cartservice", "redis-cart")}


# --- images ----------------------------------------------------------------------------------------------------------

LOCK = REPO / "examples" / "images.lock"


@pytest.mark.parametrize("app", APPS)
def test_an_image_that_is_not_pinned_is_refused_at_deploy(app: str) -> None:
    its = graph(app)
    store = StoreConnection.to(d.USERS)
    with pytest.raises(IntentError) as refused:
        deploy(load(program(app)), guard="elsewhere", store=store, users=store)
    lines = str(refused.value).splitlines()
    placeholders = {image for _, image in its.images if image.endswith(d.UNPINNED)}
    named = [line for line in lines if "is not pinned yet" in line]
    assert len(named) == len(placeholders) > 0
    assert all(line.endswith("; put its digest in the place of 'pin-me' in the lock file") for line in named)


def test_a_lock_file_of_several_programs_gives_each_its_own() -> None:
    boutique, sock_shop = images(LOCK, "online-boutique"), images(LOCK, "sock-shop")
    assert boutique["envoy"] == sock_shop["envoy"]
    assert "adservice" not in sock_shop
    assert boutique["adservice"].endswith(f"/adservice:v0.10.6@{d.UNPINNED}")
    assert "adservice" not in images(LOCK)
    with pytest.raises(ProgramError, match=r"no table \[sock-shops\]; did you mean 'sock-shop'"):
        images(LOCK, "sock-shops")
