"""Deletion that waits until the object is really gone."""

from __future__ import annotations

import time
from typing import Final

from harness.plugin.errors import ApiError, Cancelled, KindMissing, NotReady
from harness.plugin.objects import DEFAULT_MANAGER, Obj, annotation, dig, identity
from harness.plugin.retry import Job, persist
from harness.plugin.session import Session

_POLICIES: Final = {"orphan": "Orphan", "background": "Background"}
# The kinds for which the official plugin lets skipAwait skip the wait of a deletion too.
_SKIPPABLE: Final = frozenset(
    {"Namespace", "Pod", "ReplicationController", "DaemonSet", "Deployment", "StatefulSet", "Job"}
)


def remove(session: Session, job: Job, live: Obj) -> None:
    """Delete an object (or give back the fields of a Patch resource) and wait for it to go."""
    policy = _POLICIES.get(annotation(job.inputs, "deletionPropagationPolicy").lower(), "Foreground")
    try:
        if job.patch:
            _relinquish(session, job, live)
            return
        persist(session, job, lambda: _delete(session, live, policy))
    except KindMissing:
        return  # its CustomResourceDefinition is gone, and the object with it
    skip = annotation(job.inputs, "skipAwait") == "true" and live.get("kind") in _SKIPPABLE
    if not skip:
        _await_gone(session, job, live)


def _delete(session: Session, live: Obj, policy: str) -> None:
    try:
        session.api().delete(live, policy)
    except ApiError as problem:
        if not problem.not_found:
            raise


def _relinquish(session: Session, job: Job, live: Obj) -> None:
    """Apply nothing: the server drops the fields that only this manager set."""
    metadata = {k: v for k in ("name", "namespace") if (v := dig(live, "metadata", k))}
    empty = {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": metadata}
    if job.manager != DEFAULT_MANAGER and session.api().find(live):
        session.api().apply(empty, job.manager)


def _await_gone(session: Session, job: Job, live: Obj) -> None:
    deadline, interval = time.monotonic() + job.timeout, 0.05
    uid = dig(live, "metadata", "uid")
    while True:
        current = session.api().find(live)
        if current is None or (uid and dig(current, "metadata", "uid") != uid):
            session.host.status("", job.urn)
            return
        reason = remaining(current)
        session.host.status(f"waiting for deletion: {reason}", job.urn)
        if time.monotonic() >= deadline:
            message = f"{live['kind']} {identity(live)} was not gone after {job.timeout:.0f} s"
            raise NotReady(message, current, [reason])
        try:
            session.pause(interval)
        except Cancelled as problem:
            raise NotReady("cancelled while waiting for deletion", current, [reason]) from problem
        interval = min(interval * 1.5, 1.0)


def remaining(obj: Obj) -> str:
    """What keeps an object that is being deleted."""
    conditions = dig(obj, "status", "conditions", default=[])
    told = [c["message"] for c in conditions if c.get("status") == "True" and c.get("message")]
    if obj.get("kind") == "Namespace" and told:
        return "; ".join(told)
    finalizers = dig(obj, "metadata", "finalizers", default=[])
    return f"finalizers {', '.join(finalizers)}" if finalizers else "the API server still has it"
