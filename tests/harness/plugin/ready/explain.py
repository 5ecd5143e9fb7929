"""Why an object is not ready, for people: its pods' containers, its requests and the warnings about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from harness.plugin.objects import Obj, dig, name_of
from harness.plugin.ready.verdict import condition, explained

_ENOUGH: Final = 8


def explain(pods: Sequence[Obj], events: Sequence[Obj], requests: Sequence[Obj] = ()) -> list[str]:
    """Lines on containers that do not run, certificate requests and warning events, no repeats."""
    lines = [line for pod in pods for line in _pod(pod)] + [_request(item) for item in requests]
    newest = sorted(events, key=lambda e: str(e.get("lastTimestamp") or e.get("eventTime") or ""))
    lines += [_event(event) for event in newest if event.get("type") == "Warning"]
    return list(dict.fromkeys(lines))[-_ENOUGH:]


def _pod(pod: Obj) -> Iterator[str]:
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield f"pod {name_of(pod)}: {explained(scheduled, 'not scheduled')}"
    for key in ("initContainerStatuses", "containerStatuses"):
        for status in dig(pod, "status", key, default=None) or []:
            if problem := _container(status):
                yield f"pod {name_of(pod)}, container {status.get('name')}: {problem}"


def _container(status: dict[str, Any]) -> str:
    state = status.get("state") or {}
    past = dig(status, "lastState", "terminated", default={})
    if waiting := state.get("waiting"):
        told = explained(waiting, "waiting")
        return f"{told} (last exit code {past['exitCode']})" if "exitCode" in past else told
    if ended := state.get("terminated"):
        code = ended.get("exitCode")
        return "" if code == 0 else f"{explained(ended, 'terminated')} (exit code {code})"
    if "exitCode" in past:
        return f"restarted {status.get('restartCount')} times (last exit code {past['exitCode']})"
    return "" if status.get("ready") else "running but not ready"


def _request(request: Obj) -> str:
    told = explained(condition(request, "Ready"), "not answered yet")
    return f"CertificateRequest {name_of(request)}: {told}"


def _event(event: Obj) -> str:
    about = event.get("involvedObject") or {}
    return f"{about.get('kind')} {about.get('name')}: {explained(event, 'warning')}"


def pod_selector(obj: Obj) -> str:
    """The label selector of a workload's pods, empty where it has none."""
    labels = dig(obj, "spec", "selector", "matchLabels") or {}
    if obj.get("kind") == "Service":
        labels = dig(obj, "spec", "selector") or {}
    return _joined(f"{key}={value}" for key, value in labels.items())


def _joined(parts: Iterable[str]) -> str:
    return ",".join(sorted(parts))
