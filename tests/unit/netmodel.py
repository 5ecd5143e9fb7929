"""An independent reading of NetworkPolicy semantics, to hold the derived policies against the declared graph.

Follows the API reference: a pod that any policy selects for a direction may do in it only what some selecting policy
allows; both ends have to agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any


@dataclass(frozen=True)
class Pod:
    namespace: str
    labels: dict[str, str] = field(hash=False)
    namespace_labels: dict[str, str] = field(hash=False)
    address: str = "10.244.0.7"  # of some pod; that of the API server and of a place outside are no pod's

    @classmethod
    def named(cls, namespace: str, **labels: str) -> Pod:
        return cls(namespace, labels, {"kubernetes.io/metadata.name": namespace})


def pods(manifests: list[dict[str, Any]]) -> dict[tuple[str, str], Pod]:
    """The pods of every workload, by namespace and workload name."""
    found = {}
    for item in manifests:
        if item["kind"] in ("Deployment", "StatefulSet", "Job", "CronJob"):
            meta = item["metadata"]
            labels = item["spec"].get("jobTemplate", item)["spec"]["template"]["metadata"]["labels"]
            where = {"kubernetes.io/metadata.name": meta["namespace"]}
            found[meta["namespace"], meta["name"]] = Pod(meta["namespace"], labels, where)
    return found


def allowed(manifests: list[dict[str, Any]], source: Pod, target: Pod, port: int, protocol: str = "TCP") -> bool:
    policies = [item for item in manifests if item["kind"] == "NetworkPolicy"]
    out = _passes(policies, "Egress", "egress", "to", source, target, port, protocol)
    return out and _passes(policies, "Ingress", "ingress", "from", target, source, port, protocol)


def _passes(
    policies: list[dict[str, Any]], kind: str, key: str, side: str, own: Pod, peer: Pod, port: int, protocol: str
) -> bool:
    selecting = [
        p["spec"]
        for p in policies
        if p["metadata"]["namespace"] == own.namespace
        and kind in p["spec"]["policyTypes"]
        and _selects(p["spec"]["podSelector"], own.labels)
    ]
    if not selecting:
        return True
    rules = [rule for spec in selecting for rule in spec.get(key) or []]
    return any(_rule(rule, side, own, peer, port, protocol) for rule in rules)


def _rule(rule: dict[str, Any], side: str, own: Pod, peer: Pod, port: int, protocol: str) -> bool:
    peers = rule.get(side)
    ports = rule.get("ports")
    right_peer = not peers or any(_peer(entry, own, peer) for entry in peers)
    right_port = not ports or any(e["port"] == port and e.get("protocol", "TCP") == protocol for e in ports)
    return right_peer and right_port


def _peer(entry: dict[str, Any], own: Pod, peer: Pod) -> bool:
    if "ipBlock" in entry:
        block, where = entry["ipBlock"], ip_address(peer.address)
        left_out = any(where in ip_network(cidr) for cidr in block.get("except", ()))
        return where in ip_network(block["cidr"]) and not left_out
    if "namespaceSelector" in entry:
        if not _selects(entry["namespaceSelector"], peer.namespace_labels):
            return False
    elif peer.namespace != own.namespace:
        return False
    return _selects(entry.get("podSelector", {}), peer.labels)


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
