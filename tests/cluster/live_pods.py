"""Pods to probe from and to, made of images every node has: one that only exists, one that answers on port 53."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cluster import live

QUIET = "registry.k8s.io/pause:3.10.2"
ANSWERING = "registry.k8s.io/coredns/coredns:v1.15.0"  # without a configuration it answers on port 53
PORT = 53
CONNECT = 'timeout 3 bash -c "exec 3<>/dev/tcp/$0/$1" 2>/dev/null && echo connected || echo refused'


@dataclass(frozen=True)
class Place:
    """A network to send from: a node's own, or that of a process on it."""

    node: str
    process: str = ""

    def connect(self, address: str, port: int = PORT) -> str:
        """`connected` or `refused`; a probe that could not run raises."""
        enter = ["nsenter", f"--net=/proc/{self.process}/ns/net"] if self.process else []
        answer = live.on_node(self.node, *enter, "bash", "-c", CONNECT, address, str(port)).strip()
        assert answer in {"connected", "refused"}
        return answer


def namespace(name: str) -> dict[str, Any]:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def pod(namespace: str, name: str, image: str, node: str = "") -> dict[str, Any]:
    """A pod labelled with its own name, on `node` if one is given."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": image, "imagePullPolicy": "Never"}],
            "tolerations": [{"operator": "Exists"}],
            **({"nodeSelector": {"kubernetes.io/hostname": node}} if node else {}),
        },
    }


def ready(namespace: str) -> None:
    """Wait until every pod of the namespace is Ready."""
    live.kubectl("wait", "pod", "--all", "--namespace", namespace, "--for=condition=Ready", "--timeout=60s")


def inside(namespace: str, name: str) -> Place:
    """The network of a running pod."""
    return Place(*live.process_of(namespace, name))


def address(namespace: str, name: str) -> str:
    """The address of a running pod."""
    return str(live.get("pod", name, "--namespace", namespace)["status"]["podIP"])
