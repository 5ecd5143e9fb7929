"""What the API server is asked: every declared right must be there, and no question beside it may be answered yes."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given, settings

from garrison import App, Graph
from garrison.declare.permissions import MayStatement
from garrison.derive import render
from garrison.manifest import Manifest
from garrison.prove.drill import cuts
from garrison.prove.expect import rights
from garrison.prove.expect.expected import expected
from garrison.prove.judge.verdict import gave_way
from garrison.prove.kubectl import Kubectl
from garrison.prove.look import api
from garrison.prove.model import API, Connect, Probe, Result, Review, Seen
from garrison.words import Ref
from unit.estates import apps, shop_app
from unit.rbacmodel import Asked, allowed

LAW = settings(max_examples=20)
LEASES = "coordination.k8s.io"
ORDERS = Ref("shop", "orders")


@pytest.fixture
def permitted() -> Graph:
    app = shop_app()
    app.add(MayStatement("here:1", ORDERS, "get", "configmaps", ("flags",), ""))
    app.add(MayStatement("here:2", ORDERS, "create", "leases", (), LEASES))
    return app.graph()


def reviewed(graph: Graph) -> list[Probe]:
    return [p for p in expected(graph) if isinstance(p.attempt, Review)]


@LAW
@given(apps())
def test_what_is_expected_is_what_the_roles_grant(app: App) -> None:
    """Held against the independent reading of RBAC, so that the probes would find the estate as it is rendered."""
    graph = app.graph()
    manifests = render(graph)
    for probe in reviewed(graph):
        review, who = cast("Review", probe.attempt), (probe.source.namespace, probe.source.name)
        place = review.namespace or probe.source.namespace
        asked = Asked(who, place, review.verb, review.resource, review.group, review.name)
        assert (probe.expected == "allowed") == allowed(manifests, asked)
        assert probe.expected == "allowed" or probe.layers == {"rbac"}


@LAW
@given(apps())
def test_every_declared_right_is_asked_for_and_tried_by_everybody_else(app: App) -> None:
    graph = app.graph()
    asked = {(p.source.ref, p.attempt) for p in reviewed(graph)}
    for permission in graph.permissions:
        for verb in permission.verbs:
            for name in permission.names or ("",):
                review = Review(verb, permission.resource, permission.group, name)
                assert {(service.ref, review) for service in graph.services} <= asked


@LAW
@given(apps())
def test_the_api_server_is_reached_by_those_with_permissions_only(app: App) -> None:
    graph = app.graph()
    found = {p.source.ref for p in expected(graph) if p.kind == "Kubernetes API" and p.expected == "allowed"}
    assert found == {p.service for p in graph.permissions}
    tried = {p.source.ref for p in expected(graph) if p.target == API and isinstance(p.attempt, Connect)}
    assert tried >= {service.ref for service in graph.services}


def test_without_permissions_nothing_is_asked_but_the_ways_to_more(graph: Graph) -> None:
    assert {p.operation for p in reviewed(graph)} == {
        "get secrets",
        "list pods",
        "create pods",
        "create serviceaccounts/token",
    }


def test_one_step_aside_is_refused_in_each_direction(permitted: Graph) -> None:
    orders = {p.operation: p.expected for p in reviewed(permitted) if p.source.ref == ORDERS}
    assert [operation for operation, verdict in orders.items() if verdict == "allowed"] == [
        "get configmaps flags",
        f"create leases.{LEASES}",
    ]
    assert orders.keys() >= {
        "get configmaps",
        "get configmaps garrison-probe",
        "list configmaps flags",
        "get configmaps flags in bank",
        "get configmaps flags in kube-system",
        "get configmaps/garrison-probe flags",
        "* *.*",
    }


def test_a_review_asks_for_the_very_object(permitted: Graph) -> None:
    probes = [p for p in reviewed(permitted) if p.source.ref == ORDERS]
    asked = {p.operation: api._review(p)["spec"]["resourceAttributes"] for p in probes}
    assert asked["get configmaps flags in bank"] == {
        "verb": "get",
        "resource": "configmaps",
        "subresource": "",
        "group": "",
        "name": "flags",
        "namespace": "bank",
    }
    assert asked[f"create leases.{LEASES}"]["group"] == LEASES
    assert asked["create serviceaccounts/token"]["subresource"] == "token"
    assert asked["create serviceaccounts/token"]["namespace"] == "shop"


class Live:
    """The one thing the drill's list asks of a cluster here: the Role as it was rendered."""

    def __init__(self, graph: Graph) -> None:
        self.roles = {m["metadata"]["name"]: m for m in render(graph) if m["kind"] == "Role"}

    def get(self, kind: str, name: str, namespace: str = "") -> Manifest:
        assert (kind, namespace) == ("role", "shop")
        return cast("Manifest", json.loads(json.dumps(self.roles[name])))


def test_the_drill_takes_each_role_away_and_opens_it_and_the_probes_notice(permitted: Graph) -> None:
    probes = expected(permitted)
    opened, deleted = cuts._rights(permitted, cast("Kubectl", Live(permitted)))
    assert [opened.what, deleted.what] == ["Role shop/orders with every verb", "Role shop/orders deleted"]
    for cut in (opened, deleted):
        roles: list[dict[str, Any]] = [m for m in render(permitted) if m["kind"] != "Role"] + list(cut.weaker)
        mine = [p for p in probes if cut.affected(p)]
        assert {p.source.ref for p in mine} == {ORDERS}
        assert any(gave_way(Result(p, _seen(roles, p))) for p in mine)
        whole = render(permitted)
        assert not any(gave_way(Result(p, _seen(whole, p))) for p in mine), "the control: nothing is cut"


def _seen(manifests: list[dict[str, Any]], probe: Probe) -> Seen:
    review = cast("Review", probe.attempt)
    place = review.namespace or probe.source.namespace
    who = (probe.source.namespace, probe.source.name)
    asked = Asked(who, place, review.verb, review.resource, review.group, review.name)
    return Seen("allowed") if allowed(manifests, asked) else Seen("refused", "rbac")


def test_the_questions_to_everybody_are_part_of_those_to_a_permitted_service(permitted: Graph) -> None:
    assert set(rights.reviews(permitted, ORDERS)) >= set(rights.ALWAYS)
