"""Waits until a cluster is Ready: every node by word of its running kubelet, every system pod restarted and Ready."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from harness import build, docker, paths, shell, survey
from harness.errors import HarnessError

SECONDS = 240
_WATCHED = ("kube-system", "local-path-storage")


def wait(name: str) -> str:
    """Wait until all nodes and system pods are Ready; returns what is not, if time runs out."""
    started = {found.name: found.started for found in docker.nodes(name)}
    deadline = time.monotonic() + SECONDS
    left = "its API does not answer"
    while time.monotonic() < deadline:
        left = _not_ready(name, started)
        if not left:
            return ""
        time.sleep(0.5)  # between two looks; what is waited for is the condition
    return left


def _not_ready(name: str, started: Mapping[str, datetime]) -> str:
    try:
        pods = {"items": [pod for space in _WATCHED for pod in _get(name, "pods", "--namespace", space)]}
        ready = {found["metadata"]["name"] for found in _get(name, "nodes") if survey.node_ready(found, started)}
    except HarnessError as error:
        return str(error)
    if unready := sorted(started.keys() - ready):
        return f"node {unready[0]} is not Ready"
    present = {pod["metadata"]["namespace"] for pod in pods["items"]}
    if absent := [space for space in _WATCHED if space not in present]:
        return f"no pods in {absent[0]} yet"
    return ", ".join(survey.unsettled(pods, started))


def _get(name: str, *what: str) -> list[dict[str, Any]]:
    command: list[str | Path] = [build.binary("kubectl"), f"--kubeconfig={paths.state() / name / 'kubeconfig'}"]
    told = shell.run([*command, "--request-timeout=5s", "get", *what, "-o", "json"], what="asking the API")
    items: list[dict[str, Any]] = json.loads(told)["items"]
    return items
