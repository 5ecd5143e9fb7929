"""Network layer: default deny both ways in every namespace, then one policy per service with exactly its edges.

Kubelet probes come from the pod's own node, which every NetworkPolicy implementation lets through (the Kubernetes
documentation says they must), so they need no rule here. The API server is no pod and cannot be selected by label: a
service that may use it gets a way to its ports at the addresses that the cluster names, or at private ones only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster, Dns, Store
from garrison.derive import tokens
from garrison.derive.names import DEFAULT_DENY
from garrison.manifest import Manifest, manifest, selector
from garrison.model.externals import is_outside
from garrison.model.graph import Database, Graph, Service
from garrison.words import Ref

API = "networking.k8s.io/v1"
BOTH = ("Ingress", "Egress")


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    for namespace in graph.namespaces:
        yield policy(graph, Ref(namespace, DEFAULT_DENY), {"podSelector": {}})
    for service in graph.workloads:
        yield _service(graph, service, cluster)
    for database in graph.databases:
        yield _database(graph, database, cluster.store)


def _service(graph: Graph, service: Service, cluster: Cluster) -> Manifest:
    egress = [
        to_dns(cluster.dns),
        *to_pods(_callees(graph, service), d.MTLS_PORT),
    ]
    uses, reads = graph.uses_by.get(service.ref, ()), graph.reads_by.get(service.ref, ())
    egress += to_pods(sorted({use.database for use in uses}), d.DATABASE_PORT)
    if uses or reads:
        egress.append(to_store(cluster.store))
    if service.ref in graph.permissions_of:
        egress.append(_to_api_server(cluster.api_server_ranges))
    if tokens.at_service(graph, cluster, service.ref):
        egress += to_pods([d.EDGE], d.MTLS_PORT)  # for the keys of issuers
    outside = [d.EDGE] if service.ref in graph.routes_of else []
    callers = dict.fromkeys(call.caller for call in graph.calls_to.get(service.ref, ()))
    ingress = from_pods([*callers, *outside], d.MTLS_PORT)
    return policy(graph, service.ref, {"podSelector": selector(service.name), "ingress": ingress, "egress": egress})


def _callees(graph: Graph, service: Service) -> dict[Ref, None]:
    """Those within; for all that are outside, the gateway."""
    callees = (call.callee for call in graph.calls_from.get(service.ref, ()))
    return dict.fromkeys(d.EGRESS if is_outside(callee) else callee for callee in callees)


def _database(graph: Graph, database: Database, store: Store) -> Manifest:
    users = sorted({use.service for use in graph.uses_of.get(database.ref, ())})
    ingress = from_pods(users, d.DATABASE_PORT)
    if users:
        ingress.append({"from": _peers(store), "ports": _tcp(d.DATABASE_PORT)})
    return policy(graph, database.ref, {"podSelector": selector(database.ref.name), "ingress": ingress})


def to_dns(dns: Dns) -> dict[str, Any]:
    """The rule that lets pods look names up at the cluster's own resolver, and nowhere else."""
    pods = {
        "namespaceSelector": {"matchLabels": {d.NAMESPACE_LABEL: dns.namespace}},
        "podSelector": {"matchLabels": dict(dns.labels)},
    }
    addresses = [{"ipBlock": {"cidr": cidr}} for cidr in dns.ranges]
    return {
        "to": [*([pods] if dns.labels else []), *addresses],
        "ports": [{"port": dns.port, "protocol": protocol} for protocol in ("UDP", "TCP")],
    }


def _to_api_server(ranges: Sequence[str]) -> dict[str, Any]:
    peers = [{"ipBlock": {"cidr": cidr}} for cidr in ranges]
    return {"to": peers, "ports": [{"port": port, "protocol": "TCP"} for port in d.API_SERVER_PORTS]}


def to_store(store: Store) -> dict[str, Any]:
    """To the secret store: its pods in this cluster, or straight to its few addresses.

    Not by way of the egress gateway: an agent starts before its application, speaks TLS of its own with an authority of
    its own, and so the gateway could tell no more than the name that is asked for, which the address says already.
    """
    return {"to": _peers(store), "ports": _tcp(store.port)}


def _peers(store: Store) -> list[dict[str, Any]]:
    if not store.namespace:
        return [{"ipBlock": {"cidr": cidr}} for cidr in store.ranges]
    return [_pods(store.namespace, {"matchLabels": dict(store.labels)})]


def _tcp(port: int) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"}]


def from_pods(peers: Iterable[Ref], port: int) -> list[dict[str, Any]]:
    """One rule for each of these groups of pods."""
    return [{"from": [_peer(ref)], "ports": _tcp(port)} for ref in peers]


def to_pods(peers: Iterable[Ref], port: int) -> list[dict[str, Any]]:
    """One rule for each of these groups of pods."""
    return [{"to": [_peer(ref)], "ports": _tcp(port)} for ref in peers]


def _peer(ref: Ref) -> dict[str, Any]:
    return _pods(ref.namespace, selector(ref.name))


def _pods(namespace: str, selected: dict[str, Any]) -> dict[str, Any]:
    """One pod group in one namespace: both selectors in one peer, or they would mean either."""
    return {
        "namespaceSelector": {"matchLabels": {d.NAMESPACE_LABEL: namespace}},
        "podSelector": selected,
    }


def policy(graph: Graph, ref: Ref, spec: dict[str, Any]) -> Manifest:
    """A policy both ways: what it does not name is refused."""
    return manifest(API, "NetworkPolicy", ref, {"spec": {**spec, "policyTypes": [*BOTH]}}, app=graph.name)
