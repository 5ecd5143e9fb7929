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
from garrison.deployment.platform.objects import platform_object
from garrison.manifest import Manifest

Rule = dict[str, Any]
DNS: Rule = {
    "to": [
        {
            "namespaceSelector": {"matchLabels": {d.NAMESPACE_LABEL: "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ],
    "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
}


def cert_manager(ranges: Sequence[str]) -> Iterator[Manifest]:
    yield default_deny("cert-manager")
    to_api = [DNS, _to_api(ranges)]
    yield _policy("cert-manager", "cert-manager", egress=to_api)
    yield _policy("cert-manager", "cainjector", egress=to_api)
    yield _policy("cert-manager", "webhook", egress=to_api, ingress=[_from_api(ranges, 10250)])


def trust_manager(ranges: Sequence[str]) -> Iterator[Manifest]:
    to_api = [DNS, _to_api(ranges)]
    yield _policy("cert-manager", "trust-manager", egress=to_api, ingress=[_from_api(ranges, 6443)])


def openbao(ranges: Sequence[str]) -> Iterator[Manifest]:
    """The store: entered by pods that use it, reaches databases to make leases and the API server to check tokens."""
    yield default_deny(d.STORE_NAMESPACE)
    users = {"from": [_estate_pods(d.STORE_LABEL)], "ports": _tcp(d.STORE_PORT)}
    databases = {"to": [_estate_pods(d.DATABASE_LABEL)], "ports": _tcp(d.DATABASE_PORT)}
    yield _policy(d.STORE_NAMESPACE, "openbao", ingress=[users], egress=[DNS, databases, _to_api(ranges)])


def users(ranges: Sequence[str]) -> Iterator[Manifest]:
    """The embedded issuer: entered by the edge's pods and by nobody else, reaches the API server to check tokens."""
    yield default_deny(d.USERS.namespace)
    edge = {
        "namespaceSelector": {"matchLabels": {d.NAMESPACE_LABEL: d.EDGE.namespace}},
        "podSelector": {"matchLabels": {d.NAME: d.EDGE.name}},
    }
    entered = {"from": [edge], "ports": _tcp(d.STORE_PORT)}
    yield _policy(d.USERS.namespace, d.USERS.name, ingress=[entered], egress=[DNS, _to_api(ranges)])


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


def _to_api(ranges: Sequence[str]) -> Rule:
    return _blocks("to", ranges) | {"ports": _tcp(*d.API_SERVER_PORTS)}


def _from_api(ranges: Sequence[str], port: int) -> Rule:
    return _blocks("from", ranges) | {"ports": _tcp(port)}


def _blocks(direction: str, ranges: Sequence[str]) -> Rule:
    return {direction: [{"ipBlock": {"cidr": cidr}} for cidr in ranges or d.API_SERVER_RANGES]}


def _tcp(*ports: int) -> list[dict[str, Any]]:
    return [{"port": port, "protocol": "TCP"} for port in ports]


def _estate_pods(label: str) -> dict[str, Any]:
    """Pods with a label in the estate's own namespaces: both selectors in one peer, or they would mean either."""
    return {
        "namespaceSelector": {"matchLabels": {d.MANAGED_BY: d.MANAGER}},
        "podSelector": {"matchLabels": {label: "true"}},
    }
