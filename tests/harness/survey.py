"""What an earlier run left of a cluster, and what to do about it: decided here, done in `cluster.py`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Node:
    """A node container as Docker sees it."""

    name: str
    status: str  # running, exited, paused, created, dead, ...
    started: datetime


@dataclass(frozen=True)
class Record:
    """What is written down when a cluster is Ready, so that another run can judge it."""

    fingerprint: str
    checkout: str
    nodes: Mapping[str, str]  # name -> address

    def write(self, path: Path) -> None:
        """Write it whole or not at all."""
        temporary = path.with_suffix(".partial")
        temporary.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n")
        temporary.replace(path)

    @staticmethod
    def read(path: Path) -> Record | None:
        """The record at `path`; an unreadable one counts as none."""
        try:
            return Record(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None


class Action(Enum):
    """What a run does with what it finds."""

    CREATE = "create"
    KEEP = "keep"
    START = "start"
    REMAKE = "remake"


@dataclass(frozen=True)
class Verdict:
    """An action, and the reason that is told to people."""

    action: Action
    reason: str = ""


def judge(found: Sequence[Node], record: Record | None, wanted: Record) -> Verdict:
    """What to do with the containers and the record an earlier run left."""
    if not found and record is None:
        return Verdict(Action.CREATE)
    if record is None:
        return Verdict(Action.REMAKE, "an earlier run was interrupted while making it")
    if missing := sorted(set(record.nodes) - {node.name for node in found}):
        return Verdict(Action.REMAKE, f"its node {missing[0]} is gone")
    if len(record.nodes) != len(wanted.nodes):
        return Verdict(Action.REMAKE, f"it has {len(record.nodes)} node(s) and {len(wanted.nodes)} are asked for")
    if record.fingerprint != wanted.fingerprint:
        whose = "this checkout" if record.checkout == wanted.checkout else record.checkout
        return Verdict(Action.REMAKE, f"it was made by another version of the harness, from {whose}")
    if stopped := [node for node in found if node.status != "running"]:
        return Verdict(Action.START, f"its node {stopped[0].name} is {stopped[0].status}")
    return Verdict(Action.KEEP)


def unsettled(pods: Mapping[str, Any], started: Mapping[str, datetime]) -> list[str]:
    """The pods that are not Ready with every container started after their node did (`started`, by name).

    After a node restart the API first shows what was true before it; the start times tell.
    """
    return sorted(
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
        for pod in pods["items"]
        if pod.get("status", {}).get("phase") != "Succeeded" and not _settled(pod, started)
    )


def node_ready(node: Mapping[str, Any], started: Mapping[str, datetime]) -> bool:
    """Whether the node is Ready, by word of a kubelet that runs since the node started."""
    since = started.get(node["metadata"]["name"])
    for condition in node.get("status", {}).get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            return since is not None and _reached(condition["lastHeartbeatTime"], since)
    return False


def _settled(pod: Mapping[str, Any], started: Mapping[str, datetime]) -> bool:
    status = pod.get("status", {})
    since = started.get(pod.get("spec", {}).get("nodeName", ""))
    if since is None:
        return False  # not scheduled yet, or still on a node of before
    ready = {c["type"]: c["status"] for c in status.get("conditions", [])}.get("Ready") == "True"
    containers = status.get("containerStatuses", [])
    return ready and bool(containers) and all(_started(c, since) for c in containers)


def _started(container: Mapping[str, Any], since: datetime) -> bool:
    running = container.get("state", {}).get("running")
    return bool(running) and _reached(running["startedAt"], since)


def _reached(text: str, since: datetime) -> bool:
    return moment(text) >= since.replace(microsecond=0)  # the API tells whole seconds


def moment(text: str) -> datetime:
    """A timestamp of Kubernetes or Docker (which gives nanoseconds)."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{whole}.{(fraction + '000000')[:6]}+00:00")
