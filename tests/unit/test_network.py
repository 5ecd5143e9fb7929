"""The law of the network layer: what the policies let through is what was declared, on any graph."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given

from garrison import App, Graph, render
from garrison import defaults as d
from garrison.cluster import Cluster, Dns
from garrison.declare.calls import CallStatement
from garrison.derive.edge import clusters
from garrison.derive.edge.keys import readers
from garrison.manifest import identity
from garrison.model.externals import is_outside
from garrison.words import Ref
from unit.estates import apps
from unit.netmodel import Pod, allowed, pods

DNS = Pod.named("kube-system", **{"k8s-app": "kube-dns"})
API_SERVER = replace(Pod.named("", component="kube-apiserver"), address="172.18.0.2")
INTERNET = replace(Pod.named("", app="anything"), address="203.0.113.7")  # RFC 5737: belongs to nobody
STORE = Pod.named("openbao", **{"app.kubernetes.io/name": "openbao"})


@given(apps())
def test_reachable_pairs_are_the_declared_calls(app: App) -> None:
    graph = app.graph()
    manifests = render(graph)
    found = pods(manifests)
    pairs_of_calls = {(c.caller, d.EGRESS if is_outside(c.callee) else c.callee) for c in graph.calls}
    calls = {((a.namespace, a.name), (b.namespace, b.name)) for a, b in pairs_of_calls}
    edge, verifying = (d.EDGE.namespace, d.EDGE.name), readers(graph, Cluster())
    calls |= {(edge, (r.service.namespace, r.service.name)) for r in graph.routes}
    calls |= {((ref.namespace, ref.name), edge) for ref in verifying} if graph.hosts else set()
    uses = {((u.service.namespace, u.service.name), (u.database.namespace, u.database.name)) for u in graph.uses}
    pairs = list(itertools.permutations(found, 2))
    assert {p for p in pairs if allowed(manifests, found[p[0]], found[p[1]], 8443)} == calls
    assert {p for p in pairs if allowed(manifests, found[p[0]], found[p[1]], 5432)} == uses
    for port in (8080, 15021, 15101, 80, 22, 443, 6443):
        assert not [p for p in pairs if allowed(manifests, found[p[0]], found[p[1]], port)]


@given(apps())
def test_nobody_undeclared_comes_in_or_gets_out(app: App) -> None:
    manifests = render(app.graph(), Cluster(api_server=(f"{API_SERVER.address}/32",)))
    for namespace in [*app.graph().namespaces, "elsewhere"]:
        stranger = Pod.named(namespace, app="stranger")
        for pod in pods(manifests).values():
            assert not any(allowed(manifests, stranger, pod, port) for port in (8443, 5432, 15021, 9003))
            reached = allowed(manifests, stranger, pod, d.EDGE_PORT)
            assert reached == (pod.namespace == d.EDGE.namespace and namespace == "elsewhere")
            assert not any(allowed(manifests, pod, stranger, port) for port in (8443, 443, 6443, 53))


@given(apps())
def test_names_are_asked_for_where_the_cluster_answers_them_and_nowhere_else(app: App) -> None:
    """A cache on each node and the address it answers for, beside pods or instead of them; never the next address."""
    node, service = (replace(Pod.named("", app="x"), address=one) for one in ("169.254.20.10", "10.96.0.10"))
    beside = [replace(node, address=one) for one in ("169.254.20.11", "169.254.169.254", "10.96.0.11")]
    ranges = ("169.254.20.10/32", "10.96.0.10/32")
    resolvers = {
        Dns(): [DNS],
        Dns(ranges=ranges): [DNS, node, service],
        Dns(labels=(), ranges=ranges): [node, service],
    }
    graph, asked = app.graph(), (DNS, node, service, *beside)
    for dns, answering in resolvers.items():
        manifests = render(graph, Cluster(dns=dns, api_server=(f"{API_SERVER.address}/32",)))
        found = pods(manifests)
        for ref, protocol in itertools.product((one.ref for one in graph.workloads), ("UDP", "TCP")):
            asking = found[ref.namespace, ref.name]
            assert [one for one in asked if allowed(manifests, asking, one, 53, protocol)] == answering
            assert not any(allowed(manifests, asking, one, 443) for one in asked)


@given(apps())
def test_the_api_server_is_reached_by_those_with_permissions_only(app: App) -> None:
    graph = app.graph()
    manifests = render(graph)
    permitted = {(p.service.namespace, p.service.name) for p in graph.permissions}
    others = {clusters.place(one)[1] for one in clusters.other_issuers(graph, Cluster())}
    for who, pod in pods(manifests).items():
        for port in (443, 6443):
            assert allowed(manifests, pod, API_SERVER, port) == (who in permitted)
            assert allowed(manifests, pod, INTERNET, port) == (pod.namespace == d.EDGE.namespace and port in others)
        assert not any(allowed(manifests, pod, API_SERVER, port) for port in (22, 2379, 10250))


def test_dns_and_the_store_are_explicit(graph: Graph) -> None:
    manifests = render(graph)
    found = pods(manifests)
    payments, orders, ledger = found["bank", "payments"], found["shop", "orders"], found["bank", "ledger"]
    assert allowed(manifests, orders, DNS, 53, "UDP")
    assert allowed(manifests, payments, STORE, 8200)
    assert not allowed(manifests, orders, STORE, 8200), "orders has no secret, so it has no business at the store"
    assert allowed(manifests, STORE, ledger, 5432), "the store makes the leases"
    assert not allowed(manifests, ledger, DNS, 53, "UDP"), "a database calls nobody"


def test_the_model_can_say_yes() -> None:
    """The control of this file's own tool: without policies everything passes."""
    assert allowed([], STORE, DNS, 53)


def test_one_more_call_changes_exactly_its_two_ends(app: App) -> None:
    before = {identity(m): m for m in render(app.graph())}
    app.add(CallStatement("here:1", Ref("shop", "catalog"), Ref("bank", "payments"), ("GET /charges/{id}",)))
    after = {identity(m): m for m in render(app.graph())}
    assert before.keys() == after.keys()
    changed = {(kind, name) for (api, kind, ns, name), m in after.items() if m != before[api, kind, ns, name]}
    both = {"catalog", "payments"}
    expected = {("NetworkPolicy", n) for n in both} | {("Deployment", n) for n in both}
    assert changed == expected | {("ConfigMap", f"{n}-proxy") for n in both}
