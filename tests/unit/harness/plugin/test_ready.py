"""Readiness, kind by kind: the smallest object that is ready, and what keeps others from it."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plugin.errors import PluginError
from harness.plugin.ready import custom, table
from harness.plugin.ready.explain import explain, pod_selector
from harness.plugin.ready.verdict import Verdict

Obj = dict[str, Any]


def judge(kind: str, spec: Obj, status: Obj, related: dict[str, list[Obj]] | None = None, **top: Any) -> Verdict:
    api_version, name = kind.split()
    obj: Obj = {
        "apiVersion": api_version,
        "kind": name,
        "metadata": {"name": "x", "generation": 2},
        "spec": spec,
        "status": status,
        **top,
    }
    found = table.find(obj, obj)
    assert found is not None
    return found.judge(obj, related or {})


def conditions(**states: str) -> Obj:
    return {"conditions": [{"type": k, "status": v, "reason": "Why"} for k, v in states.items()]}


SEEN = {"observedGeneration": 2}
DEPLOYED = {**SEEN, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}
ROLLED = {**SEEN, "readyReplicas": 2, "updatedReplicas": 2}
SCHEDULED = {**SEEN, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}
RUNNING = conditions(PodScheduled="True", Initialized="True", Ready="True")
SLICE = {"endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}]}
STARTING = {"endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": False}}]}
LATER = {"metadata": {"name": "late"}, "volumeBindingMode": "WaitForFirstConsumer"}
DEFAULT: Obj = {
    "metadata": {
        "name": "d",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "volumeBindingMode": "WaitForFirstConsumer",
}
ISSUED = {"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 2}]}
DEPLOYMENT, STATEFUL = "apps/v1 Deployment", "apps/v1 StatefulSet"
TWO = {"replicas": 2}

READY: list[tuple[str, Obj, Obj, dict[str, list[Obj]]]] = [
    (DEPLOYMENT, TWO, DEPLOYED, {}),
    (DEPLOYMENT, {"replicas": 0}, SEEN, {}),
    (STATEFUL, TWO, ROLLED, {}),
    (STATEFUL, {**TWO, "updateStrategy": {"type": "OnDelete"}}, {**ROLLED, "updatedReplicas": 0}, {}),
    (STATEFUL, {**TWO, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
     {**ROLLED, "updatedReplicas": 1, "updateRevision": "b", "currentRevision": "a"}, {}),
    ("apps/v1 DaemonSet", {}, SCHEDULED, {}),
    ("batch/v1 Job", {}, conditions(Complete="True"), {}),
    ("batch/v1 Job", {"suspend": True}, {}, {}),
    ("v1 Pod", {}, RUNNING, {}),
    ("v1 Pod", {}, {"phase": "Succeeded"}, {}),
    ("v1 Service", {"selector": {"a": "b"}}, {}, {"slices": [STARTING, SLICE]}),
    ("v1 Service", {}, {}, {}),
    ("v1 Service", {"selector": {"a": "b"}, "clusterIP": "None"}, {}, {}),
    ("v1 Service", {"selector": {"a": "b"}, "type": "ExternalName"}, {}, {}),
    ("v1 Service", {"type": "LoadBalancer"}, {"loadBalancer": {"ingress": [{"ip": "1"}]}}, {}),
    ("networking.k8s.io/v1 Ingress", {}, {"loadBalancer": {"ingress": [{"ip": "1"}]}}, {}),
    ("v1 PersistentVolume", {}, {"phase": "Available"}, {}),
    ("v1 PersistentVolumeClaim", {}, {"phase": "Bound"}, {}),
    ("v1 PersistentVolumeClaim", {"storageClassName": "late"}, {"phase": "Pending"}, {"classes": [LATER]}),
    ("v1 PersistentVolumeClaim", {}, {"phase": "Pending"}, {"classes": [DEFAULT]}),
    ("apiextensions.k8s.io/v1 CustomResourceDefinition", {}, conditions(NamesAccepted="True", Established="True"), {}),
    ("cert-manager.io/v1 Certificate", {}, ISSUED, {}),
    ("cert-manager.io/v1 Issuer", {}, ISSUED, {}),
    ("cert-manager.io/v1 ClusterIssuer", {}, ISSUED, {}),
    ("v1 ResourceQuota", {"hard": {"pods": "2"}}, {"hard": {"pods": "2"}}, {}),
    ("v1 Secret", {}, {}, {}),
]  # fmt: skip

WAITING: list[tuple[str, Obj, Obj, dict[str, list[Obj]], str]] = [
    (DEPLOYMENT, TWO, {**DEPLOYED, "observedGeneration": 1}, {}, "observe"),
    (DEPLOYMENT, TWO, {**DEPLOYED, "updatedReplicas": 1}, {}, "1 of 2 replicas updated"),
    (DEPLOYMENT, TWO, {**DEPLOYED, "replicas": 3}, {}, "1 old replicas still terminating"),
    (DEPLOYMENT, TWO, {**DEPLOYED, "availableReplicas": 1}, {}, "1 of 2 replicas available"),
    (DEPLOYMENT, TWO, {**DEPLOYED, "updatedReplicas": 0, **conditions(ReplicaFailure="True")}, {}, "(Why)"),
    (STATEFUL, TWO, {**ROLLED, "readyReplicas": 1}, {}, "1 of 2 replicas ready"),
    (STATEFUL, TWO, {**ROLLED, "updatedReplicas": 1}, {}, "1 of 2 replicas updated"),
    (STATEFUL, TWO, {**ROLLED, "updateRevision": "b", "currentRevision": "a"}, {}, "rollout"),
    ("apps/v1 DaemonSet", {}, {**SCHEDULED, "numberAvailable": 1}, {}, "1 of 2 pods available"),
    ("apps/v1 DaemonSet", {}, {**SCHEDULED, "updatedNumberScheduled": 1}, {}, "1 of 2 pods updated"),
    ("batch/v1 Job", {}, {"active": 1}, {}, "1 pods running"),
    ("v1 Pod", {}, {}, {}, "not PodScheduled yet"),
    ("v1 Pod", {}, conditions(PodScheduled="True", Initialized="True", Ready="False"), {}, "Why"),
    ("v1 Service", {"selector": {"a": "b"}}, {}, {"slices": [STARTING]}, "does not target any Pods"),
    ("v1 Service", {"type": "LoadBalancer"}, {}, {}, "not allocated an IP address"),
    ("networking.k8s.io/v1 Ingress", {}, {}, {}, "address"),
    ("v1 PersistentVolume", {}, {"phase": "Pending"}, {}, "Pending"),
    ("v1 PersistentVolumeClaim", {}, {"phase": "Pending"}, {"classes": [LATER]}, "claim is Pending"),
    ("v1 PersistentVolumeClaim", {"storageClassName": "late"}, {}, {"classes": [LATER]}, "not seen"),
    ("apiextensions.k8s.io/v1 CustomResourceDefinition", {}, {}, {}, "does not serve"),
    ("cert-manager.io/v1 Certificate", {}, {}, {}, "has not reported"),
    ("cert-manager.io/v1 Certificate", {}, {"conditions": [
        {"type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "no secret"}]},
     {}, "DoesNotExist: no secret"),
    ("cert-manager.io/v1 Issuer", {}, {"conditions": [
        {"type": "Ready", "status": "True", "observedGeneration": 1}]}, {}, "has not reported"),
    ("v1 ResourceQuota", {"hard": {"pods": "2"}}, {}, {}, "not in force"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "spec", "status", "related"), READY)
def test_ready(kind: str, spec: Obj, status: Obj, related: dict[str, list[Obj]]) -> None:
    assert judge(kind, spec, status, related) == Verdict(ready=True)


@pytest.mark.parametrize(("kind", "spec", "status", "related", "reason"), WAITING)
def test_waiting_says_for_what(kind: str, spec: Obj, status: Obj, related: dict[str, list[Obj]], reason: str) -> None:
    verdict = judge(kind, spec, status, related)
    assert not verdict.ready
    assert not verdict.failed
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("batch/v1 Job", conditions(Failed="True")),
        ("apiextensions.k8s.io/v1 CustomResourceDefinition", conditions(NamesAccepted="False")),
    ],
)
def test_what_cannot_become_ready_fails_at_once(kind: str, status: Obj) -> None:
    assert judge(kind, {}, status) == Verdict(ready=False, failed=True, reason="Why")


def test_a_token_secret_waits_for_its_token() -> None:
    token: Any = {"type": "kubernetes.io/service-account-token"}
    assert not judge("v1 Secret", {}, {}, **token).ready
    assert judge("v1 Secret", {}, {}, **token, data={"token": "eA=="}).ready


def annotated(**notes: str) -> Obj:
    named = {f"pulumi.com/{key}": value for key, value in notes.items()}
    return {"apiVersion": "a/v1", "kind": "Any", "metadata": {"annotations": named}}


def test_other_kinds_and_skipped_ones_are_not_awaited() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod"}
    assert table.find(pod, pod) is not None
    assert table.find(annotated(), annotated()) is None
    assert table.find(annotated(skipAwait="true"), pod) is None


@pytest.mark.parametrize(
    ("expression", "ready", "unready"),
    [
        ("condition=Synced", conditions(Synced="True"), conditions(Synced="False")),
        ("condition=Synced=False", conditions(Synced="False"), conditions(Synced="True")),
        ("jsonpath={.phase}", {"phase": "x"}, {}),
        ("jsonpath={.phase}=Done", {"phase": "Done"}, {"phase": "x"}),
        ("jsonpath={.list[0].n}=3", {"list": [{"n": 3}]}, {"list": []}),
        ('["condition=A", "condition=B"]', conditions(A="True", B="True"), conditions(A="True")),
    ],
)
def test_wait_for_annotations(expression: str, ready: Obj, unready: Obj) -> None:
    expression = expression.replace("{.", "{.status.")
    inputs = annotated(waitFor=expression)
    awaiter = table.find(inputs, inputs)
    assert awaiter is not None
    assert awaiter.judge({"status": ready}, {}).ready
    verdict = awaiter.judge({"status": unready}, {})
    assert not verdict.ready
    assert verdict.reason


@pytest.mark.parametrize("text", ["phase=x", "[]", "[1]"])
def test_a_wrong_wait_for_is_refused(text: str) -> None:
    with pytest.raises(PluginError, match=r"pulumi\.com/waitFor"):
        custom.awaiter(text)


def test_the_reasons_name_containers_and_warnings() -> None:
    crashing = {"reason": "CrashLoopBackOff", "message": "back-off"}
    pod = {
        "metadata": {"name": "p"},
        "status": {
            "conditions": [{"type": "PodScheduled", "status": "False", "message": "no node"}],
            "initContainerStatuses": [
                {"name": "done", "state": {"terminated": {"exitCode": 0}}},
                {"name": "bad", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}},
            ],
            "containerStatuses": [
                {"name": "app", "state": {"waiting": crashing}, "lastState": {"terminated": {"exitCode": 1}}},
                {"name": "slow", "state": {"running": {}}, "ready": False},
                {
                    "name": "again",
                    "state": {"running": {}},
                    "restartCount": 2,
                    "lastState": {"terminated": {"exitCode": 7}},
                },
            ],
        },
    }  # fmt: skip
    about = {"kind": "Pod", "name": "p"}
    warning = {
        "type": "Warning",
        "reason": "Failed",
        "message": "no image",
        "involvedObject": about,
    }
    refused = {"type": "Ready", "status": "False", "reason": "Pending", "message": "no such issuer"}
    request = {"metadata": {"name": "r"}, "status": {"conditions": [refused]}}
    events = [warning, warning, {**warning, "type": "Normal"}]
    assert explain([pod], events, [request]) == [
        "pod p: no node",
        "pod p, container bad: Error (exit code 3)",
        "pod p, container app: CrashLoopBackOff: back-off (last exit code 1)",
        "pod p, container slow: running but not ready",
        "pod p, container again: restarted 2 times (last exit code 7)",
        "CertificateRequest r: Pending: no such issuer",
        "Pod p: Failed: no image",
    ]


def test_the_pods_of_a_workload_are_found_by_its_selector() -> None:
    workload = {"kind": "Deployment", "spec": {"selector": {"matchLabels": {"b": "2", "a": "1"}}}}
    assert pod_selector(workload) == "a=1,b=2"
    assert pod_selector({"kind": "Service", "spec": {"selector": {"a": "1"}}}) == "a=1"
    assert pod_selector({"kind": "ConfigMap"}) == ""
