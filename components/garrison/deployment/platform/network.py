"""Network policies of the platform namespaces: default deny, then exactly what each part needs.

The API server is no pod: it cannot be selected by label. Rules see it after address translation, so on its own port at
its own address. A stack may name its address ranges (`apiServer`); without them the rules name every private range,
and never every address. The API server also calls webhooks, from an address of its node; those listeners speak TLS
and decide nothing for callers.
Kubelet probes come from the pod's own node, which every NetworkPolicy implementation lets through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.deployment.platform.objects import platform_object
from garrison.derive.network import to_dns
from garrison.manifest import Manifest

Rule = dict[str, Any]


def cert_manager(cluster: Cluster) -> Iterator[Manifest]:
    yield default_deny("cert-manager")
    to_api = [to_dns(cluster.dns), _to_api(cluster)]
    yield _policy("cert-manager", "cert-manager", egress=to_api)
    yield _policy("cert-manager", "cainjector", egress=to_api)
    yield _policy("cert-manager", "webhook", egress=to_api, ingress=[_from_api(cluster, 10250)])


def trust_manager(cluster: Cluster) -> Iterator[Manifest]:
    to_api = [to_dns(cluster.dns), _to_api(cluster)]
    yield _policy("cert-manager", "trust-manager", egress=to_api, ingress=[_from_api(cluster, 6443)])


def openbao(cluster: Cluster) -> Iterator[Manifest]:
    """The store: entered by pods that use it, reaches databases to make leases and the API server to check tokens."""
    yield default_deny(d.STORE_NAMESPACE)
    users = {"from": [_estate_pods(d.STORE_LABEL)], "ports": _tcp(d.STORE_PORT)}
    databases = {"to": [_estate_pods(d.DATABASE_LABEL)], "ports": _tcp(d.DATABASE_PORT)}
    yield _policy(
        d.STORE_NAMESPACE, "openbao", ingress=[users], egress=[to_dns(cluster.dns), databases, _to_api(cluster)]
    )


def users(cluster: Cluster) -> Iterator[Manifest]:
    """The embedded issuer: entered by the edge's pods and by nobody else, reaches the API server to check tokens."""
    yield default_deny(d.USERS.namespace)
    edge = {
        "namespaceSelector": {"matchLabels": {d.NAMESPACE_LABEL: d.EDGE.namespace}},
        "podSelector": {"matchLabels": {d.NAME: d.EDGE.name}},
    }
    entered = {"from": [edge], "ports": _tcp(d.STORE_PORT)}
    yield _policy(d.USERS.namespace, d.USERS.name, ingress=[entered], egress=[to_dns(cluster.dns), _to_api(cluster)])


def default_deny(namespace: str) -> Manifest:
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    return platform_object("networking.k8s.io/v1", "NetworkPolicy", namespace, "default-deny", {"spec": spec})


def _policy(namespace: str, name: str, *, ingress: Sequence[Rule] = (), egress: Sequence[Rule] = ()) -> Manifest:
    spec = {
        "podSelector": {"matchLabels": {d.NAME: name}},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": list(ingress),
        "egress": list(egress),
    }
    return platform_object("networking.k8s.io/v1", "NetworkPolicy", namespace, name, {"spec": spec})


def _to_api(cluster: Cluster) -> Rule:
    return _blocks("to", cluster) | {"ports": _tcp(*d.API_SERVER_PORTS)}


def _from_api(cluster: Cluster, port: int) -> Rule:
    return _blocks("from", cluster) | {"ports": _tcp(port)}


def _blocks(direction: str, cluster: Cluster) -> Rule:
    return {direction: [{"ipBlock": {"cidr": cidr}} for cidr in cluster.api_server_ranges]}


def _tcp(*ports: int) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def _estate_pods(label: str) -> dict[str, Any]:
    """Pods with a label in the estate's own namespaces: both selectors in one peer, or they would mean either."""
    return {
        "namespaceSelector": {"matchLabels": {d.MANAGED_BY: d.MANAGER}},
        "podSelector": {"matchLabels": {label: "true"}},
    }
