"""Deployments, StatefulSets, DaemonSets, Jobs and Pods."""

from __future__ import annotations

from harness.plugin.objects import Obj, dig
from harness.plugin.ready.verdict import (
    READY,
    Related,
    Verdict,
    condition,
    count,
    explained,
    failed,
    observed,
    waiting,
)

_UNSEEN = "waiting for its controller to observe it"


def deployment(obj: Obj, _: Related) -> Verdict:
    """Rolled out: every replica updated and available, none of the old ones left."""
    if not observed(obj):
        return waiting(_UNSEEN)
    wanted = int(dig(obj, "spec", "replicas", default=1))
    progressing = condition(obj, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return waiting(explained(progressing, "the rollout made no progress"))
    updated = count(obj, "status", "updatedReplicas")
    if updated < wanted:
        return waiting(f"{updated} of {wanted} replicas updated" + _failure(obj))
    old = count(obj, "status", "replicas") - updated
    if old > 0:
        return waiting(f"{old} old replicas still terminating")
    available = count(obj, "status", "availableReplicas")
    if available < wanted:
        return waiting(f"{available} of {wanted} replicas available" + _failure(obj))
    return READY


def _failure(obj: Obj) -> str:
    failure = condition(obj, "ReplicaFailure")
    return f" ({explained(failure, 'replica failure')})" if failure.get("status") == "True" else ""


def statefulset(obj: Obj, _: Related) -> Verdict:
    """Every replica ready and, unless updates wait for deletions, at the newest revision."""
    if not observed(obj):
        return waiting(_UNSEEN)
    wanted = int(dig(obj, "spec", "replicas", default=1))
    ready = count(obj, "status", "readyReplicas")
    if ready < wanted:
        return waiting(f"{ready} of {wanted} replicas ready")
    if dig(obj, "spec", "updateStrategy", "type") == "OnDelete":
        return READY
    kept = count(obj, "spec", "updateStrategy", "rollingUpdate", "partition")
    updated = count(obj, "status", "updatedReplicas")
    if updated < wanted - kept:
        return waiting(f"{updated} of {wanted - kept} replicas updated")
    same = dig(obj, "status", "updateRevision") == dig(obj, "status", "currentRevision")
    if not kept and wanted and not same:
        return waiting("the controller has not finished the rollout")
    return READY


def daemonset(obj: Obj, _: Related) -> Verdict:
    """A ready, updated pod on every node that should have one."""
    if not observed(obj):
        return waiting(_UNSEEN)
    wanted = count(obj, "status", "desiredNumberScheduled")
    rolling = dig(obj, "spec", "updateStrategy", "type") != "OnDelete"
    updated = count(obj, "status", "updatedNumberScheduled")
    if rolling and updated < wanted:
        return waiting(f"{updated} of {wanted} pods updated")
    available = count(obj, "status", "numberAvailable")
    if available < wanted:
        return waiting(f"{available} of {wanted} pods available")
    return READY


def job(obj: Obj, _: Related) -> Verdict:
    """Complete; a failed job will not get better."""
    if dig(obj, "spec", "suspend"):
        return READY
    failure = condition(obj, "Failed")
    if failure.get("status") == "True":
        return failed(explained(failure, "the job failed"))
    if condition(obj, "Complete").get("status") == "True":
        return READY
    running, lost = count(obj, "status", "active"), count(obj, "status", "failed")
    return waiting(f"{running} pods running, {lost} failed")


def pod(obj: Obj, _: Related) -> Verdict:
    """Ready, or finished with success."""
    if dig(obj, "status", "phase") == "Succeeded":
        return READY
    for kind in ("PodScheduled", "Initialized", "Ready"):
        found = condition(obj, kind)
        if found.get("status") != "True":
            return waiting(explained(found, f"not {kind} yet"))
    return READY


def replication_controller(obj: Obj, _: Related) -> Verdict:
    """Every replica available."""
    wanted, have = count(obj, "spec", "replicas"), count(obj, "status", "availableReplicas")
    return READY if have >= wanted else waiting(f"{have} of {wanted} replicas available")
