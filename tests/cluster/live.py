"""The cluster under test, for the tests of the harness itself: its API, its nodes, a pod to look from."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import docker, paths, shell

CLUSTER = os.environ.get("GARRISON_CLUSTER", "garrison")
STATE = paths.state() / CLUSTER
KUBECONFIG = Path(os.environ.get("KUBECONFIG", STATE / "kubeconfig"))


def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """What kubectl prints."""
    return shell.run(["kubectl", f"--kubeconfig={KUBECONFIG}", *arguments], what="kubectl", stdin=stdin)


def get(*what: str) -> dict[str, Any]:
    """An object or a list of the API."""
    found: dict[str, Any] = json.loads(kubectl("get", *what, "-o", "json"))
    return found


def apply(*objects: dict[str, Any]) -> None:
    """Create or change objects."""
    kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def nodes() -> list[str]:
    """The node containers, the control plane first."""
    return sorted((node.name for node in docker.nodes(CLUSTER)), key=lambda name: "worker" in name)


def on_node(node: str, *command: str) -> str:
    """What a command prints on a node."""
    return shell.run(["docker", "exec", node, *command], what=f"on {node}")


def eventually(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until `true()`, or say that `what` did not come."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def process_of(namespace: str, pod: str) -> tuple[str, str]:
    """The node of a running pod and the id of its first process there."""
    found = get("pod", pod, "--namespace", namespace)
    identity = found["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    node = str(found["spec"]["nodeName"])
    for line in on_node(node, "ctr", "--namespace", "k8s.io", "tasks", "list").splitlines():
        if line.startswith(identity):
            return node, line.split()[1]
    raise AssertionError(f"{namespace}/{pod} has no process on {node}")
