"""The drill's list: for any graph, each protection that is taken away is one that some probe has to miss."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import cast

from hypothesis import given, settings

from garrison import App
from garrison.cluster import Cluster
from garrison.derive import mesh, render
from garrison.derive.names import CERTIFICATE_REQUESTS, CERTIFICATES, admission_policy
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.drill.cuts import GATEWAY_KINDS, KINDS, TELLING, Cut, cuts
from garrison.prove.expect.expected import expected
from garrison.prove.kubectl import Kubectl
from garrison.prove.look.opening import CUTS, VERIFIED, without
from garrison.prove.model import Kind, Request
from garrison.prove.trials import Try
from garrison.words import Ref
from garrison_policies.places import whole
from unit.estates import DIGEST, apps, shop_app

LAW = settings(max_examples=20)
BINDING = "ValidatingAdmissionPolicyBinding"
PLURAL = {"networkpolicies": "NetworkPolicy", "resourcequotas": "ResourceQuota", f"{BINDING.lower()}s": BINDING}


class Rendered:
    """What the list asks of a cluster, answered with the manifests of the graph."""

    def __init__(self, graph: Graph) -> None:
        self.manifests = [*render(graph), *whole.manifests(graph, Cluster())]

    def items(self, kind: str, *, namespace: str = "", selector: str = "") -> list[Manifest]:
        assert selector
        return [
            m
            for m in self.manifests
            if m["kind"] == PLURAL.get(kind) and m["metadata"].get("namespace", "") == namespace
        ]

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
    probes = expected(graph)
    for cut in listed(graph):
        if cut.layer == "network":
            mine = [probe.attempt for probe in probes if cut.affected(probe)]
            assert not [attempt for attempt in mine if isinstance(attempt, Request) and attempt.through_proxy]


def everything() -> Graph:
    """The shop, a service with a right in the Kubernetes API, and one that is called with users' tokens."""
    app = shop_app()
    extra = app.namespace("extra").service("watcher", image="registry.example/w" + DIGEST, port=8080)
    extra.may("get", "configmaps", "flags")
    cache = app.namespace("more").service("cache", image="registry.example/c" + DIGEST, port=6379, protocol="tcp")
    extra.connects(cache)
    desk = app.namespace("desk").service("desk", image="registry.example/d" + DIGEST, port=8080)
    desk.serves("GET /flags", at=app.host("api.estate.example"), to=app.users().anyone())
    desk.calls(extra, "GET /flags", token="forward")
    psp = app.external("api.psp.example")
    desk.calls(psp, "POST /charges")
    extra.connects(psp)
    return app.graph()


def test_every_kind_is_tried_and_every_kind_that_a_cut_waits_for_is_one_of_them() -> None:
    tried = {probe.kind for probe in expected(everything()) if isinstance(probe.kind, Kind)}
    assert tried == set(Kind)
    waited_for = {*TELLING, *KINDS.values(), *(kind for kind, _ in GATEWAY_KINDS.values())}
    assert all(isinstance(kind, Kind) for kind in (*waited_for, *tried))
    assert waited_for <= tried
    assert {*KINDS, *GATEWAY_KINDS} == set(CUTS), "each way to open a proxy has the kind of probe that must notice it"


def test_every_service_is_drilled_and_who_has_no_call_has_a_policy_that_can_only_be_opened() -> None:
    graph = shop_app().graph()
    called = {ref for call in graph.calls for ref in (call.caller, call.callee)}
    lonely = set(graph.by_ref) - called
    assert lonely
    named = {cut.what for cut in listed(graph)}
    assert {f"NetworkPolicy {ref} opened" for ref in graph.by_ref} <= named
    assert {f"NetworkPolicy {ref} deleted" for ref in called} <= named
    assert not {f"NetworkPolicy {ref} deleted" for ref in lonely} & named
    assert {f"proxy configurations without {cut}" for cut in KINDS if cut != "users' tokens"} <= named


def test_a_jobs_policy_is_drilled_from_the_jobs_side() -> None:
    """Nothing is tried at a job, so what its policy keeps in is what has to notice."""
    app = shop_app()
    job = app.namespace("night").job("nightly", image="registry.example/n" + DIGEST, schedule="0 3 * * *")
    job.calls("shop/catalog", "GET /items")
    graph = app.graph()
    named = {cut.what: cut for cut in listed(graph)}
    for how in ("opened", "deleted"):
        cut = named[f"NetworkPolicy {job.ref} {how}"]
        mine = [probe for probe in expected(graph) if cut.affected(probe)]
        assert mine and {probe.source.ref for probe in mine} == {job.ref}
        assert {probe.expected for probe in mine} == {"allowed", "refused"}
    impostor = named["proxy configurations without callee's name"]
    assert job.ref in {party.ref for party in impostor.copies}, "its copy is made anew"
    assert all(job.ref not in cut.restart for cut in named.values()), "and the job itself never"


def test_a_callee_without_users_tokens_is_noticed_by_who_brings_none() -> None:
    graph = everything()
    assert noticing(graph, "proxy configurations without users' tokens") == {Kind.WITHOUT_TOKEN}
    called = mesh.config(graph, Cluster(), next(s for s in graph.services if s.name == "watcher"))
    (own,) = json.loads(called["envoy.json"])["static_resources"]["listeners"][:1]
    open_to = json.dumps(json.loads(without("users' tokens", called)["envoy.json"])["static_resources"]["listeners"][0])
    assert VERIFIED in json.dumps(_principals(own))
    assert VERIFIED not in json.dumps(_principals(json.loads(open_to)))
    assert str(graph.spiffe_id(Ref("desk", "desk"))) in open_to, "the caller is still asked who it is"


def _principals(node: object) -> list[object]:
    """Every list of principals in it."""
    if isinstance(node, dict):
        own = [node["principals"]] if "principals" in node else []
        return own + [found for value in node.values() for found in _principals(value)]
    return [found for value in node for found in _principals(value)] if isinstance(node, list) else []


def noticing(graph: Graph, what: str) -> set[Kind | Try]:
    (cut,) = (cut for cut in listed(graph) if cut.what == what)
    return {probe.kind for probe in expected(graph) if cut.affected(probe)}


def test_each_side_door_is_opened_once_and_what_must_notice_it_is_what_stands_before_it() -> None:
    graph = shop_app().graph()
    doors = {
        f"{BINDING} garrison-certificates deleted": {Kind.ANOTHERS_IDENTITY},
        f"{BINDING} garrison-certificate-requests deleted": {Kind.REQUEST_BY_HAND},
        "secret store database/roles/bank.ledger.writer without an end": {Kind.EXPIRED, Kind.OPEN_SESSION},
        "proxy configurations without callers' names": {Kind.UNDECLARED_IDENTITY},
        "proxy configurations without whole handshakes": {Kind.RESUMED},
        "proxy configurations without removal of claims": {Kind.CLAIMED},
    }
    assert {what: noticing(graph, what) for what in doors} == doors


def test_the_names_of_the_policies_that_are_taken_away_are_those_that_admission_makes() -> None:
    made = {m["metadata"]["name"]: m for m in whole.manifests(shop_app().graph(), Cluster()) if m["kind"] != BINDING}
    for family, resource in ((CERTIFICATES, "certificates"), (CERTIFICATE_REQUESTS, "certificaterequests")):
        rules = made[admission_policy(family)]["spec"]["matchConstraints"]["resourceRules"]
        assert resource in {name for rule in rules for name in rule["resources"]}


def test_where_the_copies_tell_the_copies_are_made_anew_and_nobody_is_restarted() -> None:
    graph = shop_app().graph()
    cuts = {cut.what.removeprefix("proxy configurations without "): cut for cut in listed(graph)}
    claims, name = cuts["removal of claims"], cuts["callee's name"]
    assert claims.copies == claims.everyone != ()
    assert (claims.variant, name.variant) == ("", "-misled")
    assert (claims.restart, name.restart) == ((), ())
    assert cuts["whole handshakes"].restart, "the control: what live pods demand is read when they start"
