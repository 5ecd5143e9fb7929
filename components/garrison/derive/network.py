"""Network layer: default deny both ways in every namespace, then one policy per service with exactly its edges.

Kubelet probes come from the pod's own node, which every NetworkPolicy implementation lets through (the Kubernetes
documentation says they must), so they need no rule here. The API server is no pod and cannot be selected by label: a
service that may use it gets a way to its ports at addresses that every stack narrows to its own (`at_api_server`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from garrison import defaults as d
from garrison.manifest import Manifest, manifest, selector
from garrison.model.graph import Database, Graph, Service
from garrison.words import Ref

API = "networking.k8s.io/v1"
BOTH = ["Ingress", "Egress"]
DNS = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {d.NAMESPACE_LABEL: "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ],
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
}


def manifests(graph: Graph) -> Iterator[Manifest]:
    for namespace in graph.namespaces:
        yield _policy(graph, Ref(namespace, "default-deny"), {"podSelector": {}})
    for service in graph.services:
        yield _service(graph, service)
    for database in graph.databases:
        yield _database(graph, database)


def _service(graph: Graph, service: Service) -> Manifest:
    egress = [DNS, *_to((call.callee for call in graph.calls_from.get(service.ref, ())), d.MTLS_PORT)]
    uses, reads = graph.uses_by.get(service.ref, ()), graph.reads_by.get(service.ref, ())
    egress += _to(sorted({use.database for use in uses}), d.DATABASE_PORT)
    if uses or reads:
        egress += _to([_STORE], d.STORE_PORT)
    if service.ref in graph.permissions_of:
        egress.append(_to_api_server(d.API_SERVER_RANGES))
    ingress = _from((call.caller for call in graph.calls_to.get(service.ref, ())), d.MTLS_PORT)
    return _policy(graph, service.ref, {"podSelector": selector(service.name), "ingress": ingress, "egress": egress})


def _database(graph: Graph, database: Database) -> Manifest:
    users = sorted({use.service for use in graph.uses_of.get(database.ref, ())})
    ingress = _from([*users, *([_STORE] if users else [])], d.DATABASE_PORT)
    return _policy(graph, database.ref, {"podSelector": selector(database.ref.name), "ingress": ingress})


def at_api_server(item: Manifest, ranges: Sequence[str]) -> Manifest:
    """The object with the API server's own address ranges in its policy; others, which need none, as they are.

    Raises ValueError where there are none to put in: without a peer the rule would allow every destination.
    """
    wide = _to_api_server(d.API_SERVER_RANGES)
    egress = item["spec"].get("egress", []) if item["kind"] == "NetworkPolicy" else []
    if wide not in egress:
        return item
    if not ranges:
        meta = item["metadata"]
        raise ValueError(
            f"{meta['namespace']}/{meta['name']} may use the Kubernetes API, whose addresses are not known"
        )
    narrow = [_to_api_server(ranges) if rule == wide else rule for rule in egress]
    return {**item, "spec": {**item["spec"], "egress": narrow}}


def _to_api_server(ranges: Sequence[str]) -> dict[str, Any]:
    peers = [{"ipBlock": {"cidr": cidr}} for cidr in ranges]
    return {"to": peers, "ports": [{"port": port, "protocol": "TCP"} for port in d.API_SERVER_PORTS]}


_STORE = Ref(d.STORE_NAMESPACE, "openbao")


def _from(peers: Iterable[Ref], port: int) -> list[dict[str, Any]]:
    return [{"from": [_peer(ref)], "ports": [{"port": port, "protocol": "TCP"}]} for ref in peers]


def _to(peers: Iterable[Ref], port: int) -> list[dict[str, Any]]:
    return [{"to": [_peer(ref)], "ports": [{"port": port, "protocol": "TCP"}]} for ref in peers]


def _peer(ref: Ref) -> dict[str, Any]:
    """One pod group in one namespace: both selectors in one peer, or they would mean either."""
    return {
        "namespaceSelector": {"matchLabels": {d.NAMESPACE_LABEL: ref.namespace}},
        "podSelector": selector(ref.name),
    }


def _policy(graph: Graph, ref: Ref, spec: dict[str, Any]) -> Manifest:
    return manifest(API, "NetworkPolicy", ref, {"spec": {**spec, "policyTypes": BOTH}}, app=graph.name)
