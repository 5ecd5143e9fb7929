"""Clusters that answer from tables, behind the one function that runs kubectl."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
SLICES = "endpointslices.discovery.k8s.io"
OF = "kubernetes.io/service-name"


def thing(name: str, namespace: str = "", labels: Json | None = None, **body: Any) -> Json:
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels or {}}, "spec": {}} | body


def service(name: str, namespace: str, ip: str, selector: Json | None = None, port: int = 53) -> Json:
    spec = {"clusterIP": ip, "clusterIPs": [ip], "ports": [{"port": port}]} | (
        {"selector": selector} if selector else {}
    )
    return thing(name, namespace, spec=spec)


def endpoints(of: str, namespace: str, *ips: str, port: int = 53) -> Json:
    ports = [{"port": port, "protocol": "UDP"}]
    return thing(of, namespace, {OF: of}, endpoints=[{"addresses": [ip]} for ip in ips], ports=ports)


def node(*addresses: str, pods: Sequence[str] = ("10.244.0.0/24",)) -> Json:
    found = [{"type": "InternalIP", "address": ip} for ip in addresses]
    return thing("node", spec={"podCIDRs": list(pods)}, status={"addresses": found})


KUBE_DNS = {"k8s-app": "kube-dns"}


def plain() -> dict[str, list[Json]]:
    """One as kind makes it, with nothing on it."""
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "nodes": [node("172.18.0.2")],
        "services": [
            service("kubernetes", "default", "10.96.0.1", port=443),
            service("kube-dns", "kube-system", "10.96.0.10", KUBE_DNS),
        ],
        SLICES: [
            endpoints("kubernetes", "default", "172.18.0.2", port=6443),
            endpoints("kube-dns", "kube-system", "10.244.0.3", "10.244.0.4"),
        ],
        "pods": [thing("coredns-1", "kube-system", KUBE_DNS)],
        "daemonsets.apps": [thing("kindnet", "kube-system")],
        "namespaces": [thing(name) for name in ("default", "kube-system")],
        "storageclasses.storage.k8s.io": [{"metadata": {"name": "standard", "annotations": default}}],
        "deployments.apps": [],
    }


@dataclass
class Told:
    """What a cluster has, by resource; `refused` may not be listed."""

    has: dict[str, list[Json]] = field(default_factory=plain)
    minor: str = "36"
    user: Json = field(default_factory=lambda: {"username": "admin", "groups": ["system:masters"]})
    refused: tuple[str, ...] = ()

    def __call__(self, words: Sequence[str], *, stdin: str | None = None, timeout: float = 0) -> tuple[int, str, str]:
        match [word for word in words if not word.startswith("--")]:
            case ["get", "/version"]:
                return 0, json.dumps({"major": "1", "minor": self.minor}), ""
            case ["api-resources"]:
                return 0, "\n".join(self.has), ""
            case ["auth", "whoami"]:
                return 0, json.dumps({"status": {"userInfo": self.user}}), ""
            case ["get", kind] if kind in self.refused:
                return 1, "", f"Error from server (Forbidden): {kind} is forbidden"
            case ["get", kind]:
                return 0, json.dumps({"items": self.has[kind]}), ""
        raise AssertionError(words)
