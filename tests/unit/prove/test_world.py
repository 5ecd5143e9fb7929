"""Probes written down for the probe tool: every attempt is what its kind says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from garrison import defaults as d
from garrison.model.graph import Graph
from garrison.prove.expect.expected import expected
from garrison.prove.look.forge import KeyPair
from garrison.prove.look.session import at_copy
from garrison.prove.look.world import ADMIN, Place, Spec, World, impersonated, specs, subjects
from garrison.prove.model import Admit, Certify, Lease, LogIn, Party, Probe, ProveError, Request, Review
from garrison.words import Ref


def tool_probes(graph: Graph) -> list[Probe]:
    return [
        p
        for p in expected(graph)
        if p.source.role not in ("outside", "deployer", "editor")
        and not isinstance(p.attempt, Review | Admit | Certify)
    ]


@pytest.fixture
def world(graph: Graph) -> World:
    probes = tool_probes(graph)
    places = sorted({p.target for p in probes})
    forged = {
        (p.attempt.credential, impersonated(p, graph)): KeyPair(f"-----BEGIN {p.attempt.credential}", "key")
        for p in probes
        if isinstance(p.attempt, Request | LogIn) and p.attempt.credential not in ("none", "own")
    }
    tokens = {subject: f"token of {subject}" for p in probes for subject in subjects(p, ADMIN)}
    addresses = {
        party: (Place(f"192.0.2.{i}", "a"), Place(f"192.0.2.{i + 100}", "b")) for i, party in enumerate(places)
    }
    opened = {party: (Place(f"198.51.100.{i}"),) for i, party in enumerate(places)}
    copies = {party: (Place(f"203.0.113.{i}"),) for i, party in enumerate(places)}
    return World(graph, addresses, opened, copies, forged, tokens)


def spec(probe: Probe, world: World) -> Spec:
    """What is done at the first replica."""
    return next(iter(specs(probe, world).values()))


def test_every_replica_of_a_target_is_tried_and_through_a_proxy_whichever_it_takes(graph: Graph, world: World) -> None:
    for probe in tool_probes(graph):
        found = [one["database"] if isinstance(probe.attempt, Lease) else one for one in specs(probe, world).values()]
        hosts = [one["host"] for one in found]
        through = isinstance(probe.attempt, Request) and probe.attempt.through_proxy
        known = world.opened if probe.phase == "identity open" else world.copies if at_copy(probe) else world.addresses
        assert hosts == (["127.0.0.1"] if through else [place.address for place in known[probe.target]])


def test_every_probe_can_be_written_down_as_json(graph: Graph, world: World) -> None:
    for probe in tool_probes(graph):
        found = json.loads(json.dumps(spec(probe, world)))
        assert {"action", "host", "port"} <= set(found)


def written(graph: Graph, world: World, kind: str) -> list[dict[str, Any]]:
    found = [spec(p, world) for p in tool_probes(graph) if p.kind == kind and p.target.role == "service"]
    assert found
    return found


def test_only_plaintext_probes_are_without_tls(graph: Graph, world: World) -> None:
    for kind in ("no certificate", "TLS 1.2", "wrong trust domain", "wrong authority", "undeclared operation"):
        assert all(found["tls"] for found in written(graph, world, kind))
        assert all(found["port"] == d.MTLS_PORT for found in written(graph, world, kind))
    assert not any(found.get("tls") for found in written(graph, world, "plaintext"))
    assert all("certificate" not in found["tls"] for found in written(graph, world, "no certificate"))
    assert {found["tls"]["maximum"] for found in written(graph, world, "TLS 1.2")} == {"1.2"}
    assert {found["tls"]["maximum"] for found in written(graph, world, "no certificate")} == {"1.3"}


def test_the_declared_direct_call_checks_who_answers(graph: Graph, world: World) -> None:
    for found in written(graph, world, "declared operation, direct"):
        assert found["tls"]["peer"].startswith("spiffe://estate.example/ns/")
        assert found["tls"]["trust"]


def test_the_declared_call_goes_through_the_own_proxy(graph: Graph, world: World) -> None:
    for found in written(graph, world, "declared operation"):
        assert found["host"] == "127.0.0.1"
        assert found["port"] >= d.OUTBOUND_PORT


def test_network_alone_is_tried_at_the_opened_copies(graph: Graph, world: World) -> None:
    found = {spec(p, world)["host"] for p in tool_probes(graph) if p.phase == "identity open"}
    assert found <= {place.address for places in world.opened.values() for place in places}


def test_bodies_are_no_valid_requests(graph: Graph, world: World) -> None:
    bodies = [found for found in written(graph, world, "declared operation") if found["method"] == "POST"]
    assert bodies
    for found in bodies:
        assert found["headers"]["content-type"] == "text/plain"
        with pytest.raises(ValueError, match="Expecting value"):
            json.loads(found["body"])


def test_forged_certificates_bear_a_name_that_the_target_would_let_in(graph: Graph) -> None:
    for probe in tool_probes(graph):
        if isinstance(probe.attempt, Request) and probe.attempt.credential == "foreign authority":
            callers = {call.caller for call in graph.calls_to.get(probe.target.ref, ())}
            who = impersonated(probe, graph)
            assert who == probe.source.ref or who in callers or (not callers and who == probe.target.ref)


def test_a_lease_is_taken_used_and_ended_with_tokens_of_the_service_and_the_administrator(
    graph: Graph, world: World
) -> None:
    leases = [p for p in tool_probes(graph) if isinstance(p.attempt, Lease)]
    assert {p.attempt.then for p in leases if isinstance(p.attempt, Lease)} == {"", "log in again", "go on"}
    for probe in leases:
        found = spec(probe, world)
        assert found["jwt"] == world.tokens[str(probe.source), d.STORE_AUDIENCE]
        assert found["admin"]["jwt"] == world.tokens[str(ADMIN), d.STORE_AUDIENCE]
        assert found["database"]["tls"]["server_name"] == "ledger.bank.svc"


def test_a_target_without_a_ready_pod_is_said_so(graph: Graph, world: World) -> None:
    probe = next(p for p in tool_probes(graph) if p.target == Party("service", "shop", "catalog"))
    with pytest.raises(ProveError, match="shop/catalog has no ready pod"):
        spec(probe, World(graph, {}, {}, {}, world.forged, world.tokens, Ref("a", "b")))
