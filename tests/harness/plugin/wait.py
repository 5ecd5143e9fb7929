"""Waiting for a verdict, and telling meanwhile what is being waited for."""

from __future__ import annotations

import time
from collections.abc import Sequence

from harness.plugin.api import Api
from harness.plugin.errors import ApiError, Cancelled, NotReady, PluginError, Unreachable
from harness.plugin.objects import Obj, dig, identity, name_of, namespace_of
from harness.plugin.ready import table
from harness.plugin.ready.explain import explain, pod_selector
from harness.plugin.ready.verdict import Awaiter, Related, Verdict
from harness.plugin.retry import Job
from harness.plugin.session import Session


def until_ready(session: Session, job: Job, written: Obj) -> Obj:
    """The live object once it is ready; raises NotReady with the reasons otherwise."""
    awaiter = table.find(job.inputs, written)
    if awaiter is None:
        return written
    deadline, interval, live = time.monotonic() + job.timeout, 0.1, written
    while True:
        live, verdict = _look(session, awaiter, live)
        if verdict.ready:
            session.host.status("", job.urn)
            return live
        if verdict.failed:
            raise _not_ready(session.api(), live, "failed", verdict.reason)
        if time.monotonic() >= deadline:
            told = f"was not ready after {job.timeout:.0f} s"
            raise _not_ready(session.api(), live, told, verdict.reason)
        session.host.status(f"waiting: {verdict.reason}", job.urn)
        try:
            session.pause(interval)
        except Cancelled as problem:
            told = "was not ready when the update was cancelled"
            raise _not_ready(session.api(), live, told, verdict.reason) from problem
        interval = min(interval * 1.5, 1.0)


def check_once(session: Session, inputs: Obj, live: Obj) -> None:
    """At refresh: report an object that is there but not ready (kinds that promise readiness)."""
    awaiter = table.find(inputs, live)
    if awaiter is None or not awaiter.on_read:
        return
    verdict = awaiter.judge(live, related(session.api(), awaiter, live))
    if not verdict.ready:
        raise _not_ready(session.api(), live, "is not ready", verdict.reason)


def related(api: Api, awaiter: Awaiter, obj: Obj) -> Related:
    """The other objects that a verdict looks at."""
    found: dict[str, Sequence[Obj]] = {}
    for key, need in awaiter.needs.items():
        query = need.query(obj)
        if query is not None:
            namespace = "" if need.cluster_scoped else namespace_of(obj)
            found[key] = api.list(*need.kind, namespace, **query)
    return found


def _look(session: Session, awaiter: Awaiter, last: Obj) -> tuple[Obj, Verdict]:
    api = session.api()
    try:
        live = api.get(last)
        return live, awaiter.judge(live, related(api, awaiter, live))
    except Unreachable as problem:
        return last, Verdict(ready=False, reason=str(problem))
    except ApiError as problem:
        if not problem.not_found:
            return last, Verdict(ready=False, reason=str(problem))
        if dig(last, "spec", "ttlSecondsAfterFinished") is not None:
            return last, Verdict(ready=True)  # a finished Job that cleaned up after itself
        return last, Verdict(ready=False, failed=True, reason="it was deleted meanwhile")


def _not_ready(api: Api, live: Obj, told: str, reason: str) -> NotReady:
    message = f"{live.get('kind')} {identity(live)} {told}: {reason}"
    try:
        lines = explain(_pods(api, live), _events(api, live), _requests(api, live))
    except PluginError as problem:
        lines = [f"(no details: {problem})"]
    return NotReady(message, live, lines)


def _pods(api: Api, live: Obj) -> list[Obj]:
    if live.get("kind") == "Pod":
        return [live]
    selector = pod_selector(live)
    return api.list("v1", "Pod", namespace_of(live), labelSelector=selector) if selector else []


def _requests(api: Api, live: Obj) -> list[Obj]:
    """The certificate requests of a cert-manager Certificate."""
    if live.get("kind") != "Certificate":
        return []
    found = api.list("cert-manager.io/v1", "CertificateRequest", namespace_of(live))
    key = "cert-manager.io/certificate-name"
    return [item for item in found if dig(item, "metadata", "annotations", key) == name_of(live)]


def _events(api: Api, live: Obj) -> list[Obj]:
    namespace = namespace_of(live) or "default"
    subjects = [live, *(pod for pod in _pods(api, live)[:5] if pod is not live)]
    found: list[Obj] = []
    for subject in subjects:
        selector = f"involvedObject.name={name_of(subject)}"
        found += api.list("v1", "Event", namespace, fieldSelector=selector)
    kinds = {(subject.get("kind"), name_of(subject)) for subject in subjects}
    return [
        event
        for event in found
        if (dig(event, "involvedObject", "kind"), dig(event, "involvedObject", "name")) in kinds
    ]
