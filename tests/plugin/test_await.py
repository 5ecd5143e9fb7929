"""The stand-in plugin waits: for readiness after a write, for the end after a deletion.

There is no kubelet here, so the tests report what one would report.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from harness.plugin.__main__ import serve
from harness.plugin.testing.apiserver import ControlPlane
from harness.plugin.testing.stack import Declared, Failed, Stack
from harness.plugin.values import encode

pytest_plugins = ["harness.plugin.testing.fixtures"]
Obj = dict[str, Any]
MERGE = "application/merge-patch+json"
LABELS = {"app": "web"}


def workload(kind: str, namespace: str, image: str = "example/one", **notes: str) -> Obj:
    template = {
        "metadata": {"labels": LABELS},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }
    annotations = {f"pulumi.com/{key}": value for key, value in notes.items()}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "namespace": namespace, "annotations": annotations},
        "spec": {"selector": {"matchLabels": LABELS}, "template": template},
    }


def job(namespace: str, **notes: str) -> Obj:
    annotations = {f"pulumi.com/{key}": value for key, value in notes.items()}
    pod = {"restartPolicy": "Never", "containers": [{"name": "app", "image": "example/one"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once", "namespace": namespace, "annotations": annotations},
        "spec": {"backoffLimit": 0, "template": {"metadata": {"labels": LABELS}, "spec": pod}},
    }


def service(namespace: str, **notes: str) -> Obj:
    annotations = {f"pulumi.com/{key}": value for key, value in notes.items()}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": namespace, "annotations": annotations},
        "spec": {"selector": LABELS, "ports": [{"port": 80}]},
    }


def report(plane: ControlPlane, pod: Obj, status: Obj) -> None:
    """What a kubelet says about a pod."""
    path = plane.api.path({**pod, "apiVersion": "v1", "kind": "Pod"})
    plane.api.client.patch(f"{path}/status", {"status": status}, MERGE, {})


def running(
    kinds: tuple[str, ...] = ("PodScheduled", "Initialized", "Ready", "ContainersReady"),
) -> Obj:
    now = "2026-01-01T00:00:00Z"
    return {
        "phase": "Running",
        "podIP": "10.1.2.3",
        "podIPs": [{"ip": "10.1.2.3"}],
        "conditions": [{"type": k, "status": "True", "lastTransitionTime": now} for k in kinds],
    }


@contextmanager
def kubelet(plane: ControlPlane, namespace: str, status: Obj) -> Iterator[None]:
    """Report this status for every pod that appears in the namespace."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.2):
            for pod in plane.api.list("v1", "Pod", namespace):
                if pod.get("status", {}).get("phase") == "Pending":
                    report(plane, pod, status)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
def test_a_workload_is_awaited_and_one_that_hangs_is_explained(
    stack: Stack, plane: ControlPlane, namespace: str, kind: str
) -> None:
    hanging = workload(kind, namespace, timeoutSeconds="3")
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    stuck = {
        "phase": "Running",
        "containerStatuses": [
            {
                "name": "app",
                "image": "x",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {"waiting": waiting},
            }
        ],
    }
    with kubelet(plane, namespace, stuck), pytest.raises(Failed) as failure:
        stack.up(Declared("web", hanging))
    assert "was not ready after 3 s" in str(failure.value)
    assert "container app: ImagePullBackOff: no such image" in str(failure.value)
    assert stack.resources()["web"]["initErrors"]

    with kubelet(plane, namespace, running()):
        for pod in plane.api.list("v1", "Pod", namespace):
            report(plane, pod, running())
        again = stack.up(Declared("web", workload(kind, namespace)))
    assert again.operations == {"web": "update"}
    assert "initErrors" not in stack.resources()["web"]


def test_a_rollout_is_finished_before_the_update_is(stack: Stack, plane: ControlPlane, namespace: str) -> None:
    with kubelet(plane, namespace, running()):
        stack.up(Declared("web", workload("Deployment", namespace)))
        stack.up(Declared("web", workload("Deployment", namespace, image="example/two")))
        live = plane.api.get(workload("Deployment", namespace))
    assert live["status"]["updatedReplicas"] == live["status"]["availableReplicas"] == 1
    stack.refresh(Declared("web", workload("Deployment", namespace, image="example/two")))
    assert "initErrors" not in stack.resources()["web"]


def test_waiting_can_be_skipped(stack: Stack, plane: ControlPlane, namespace: str) -> None:
    skipped = workload("Deployment", namespace, skipAwait="true")
    assert stack.up(Declared("web", skipped)).operations == {"web": "create"}
    assert plane.api.get(skipped)["status"].get("availableReplicas") is None


def test_a_failed_job_fails_at_once_and_a_finished_one_is_ready(
    stack: Stack, plane: ControlPlane, namespace: str
) -> None:
    with kubelet(plane, namespace, {"phase": "Failed"}), pytest.raises(Failed, match="Backoff"):
        stack.up(Declared("once", job(namespace)))
    stack.destroy()
    with kubelet(plane, namespace, {"phase": "Succeeded"}):
        assert stack.up(Declared("once", job(namespace))).operations == {"once": "create"}


def test_a_service_waits_for_ready_pods(stack: Stack, plane: ControlPlane, namespace: str) -> None:
    with pytest.raises(Failed, match="does not target any Pods"):
        stack.up(Declared("svc", service(namespace, timeoutSeconds="1")))
    targets = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "by-hand",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": "web"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.2.3"], "conditions": {"ready": True}}],
    }
    appears = threading.Timer(1.0, lambda: plane.api.apply(targets, "test"))
    appears.start()
    assert stack.up(Declared("svc", service(namespace))).operations == {"svc": "update"}
    appears.join()
    assert "initErrors" not in stack.resources()["svc"]


def test_conditions_of_the_users_own_are_awaited(stack: Stack, namespace: str) -> None:
    def noted(wait_for: str) -> Obj:
        notes = {"pulumi.com/waitFor": wait_for, "pulumi.com/timeoutSeconds": "1"}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "m", "namespace": namespace, "annotations": notes},
            "data": {"a": "1"},
        }

    stack.up(Declared("map", noted("jsonpath={.data.a}=1")))
    with pytest.raises(Failed, match=r"waiting for \.data\.a=2"):
        stack.up(Declared("map", noted("jsonpath={.data.a}=2")))


def finalized(namespace: str, **notes: str) -> Obj:
    annotations = {f"pulumi.com/{key}": value for key, value in notes.items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "held",
            "namespace": namespace,
            "annotations": annotations,
            "finalizers": ["garrison.dev/hold"],
        },
    }


def test_a_deletion_waits_for_finalizers_and_names_them(stack: Stack, plane: ControlPlane, namespace: str) -> None:
    held = finalized(namespace, timeoutSeconds="2")
    stack.up(Declared("held", held))
    with pytest.raises(Failed, match=r"not gone after 2 s(.|\n)*garrison\.dev/hold"):
        stack.destroy()
    assert "held" in stack.resources()
    release = [{"op": "remove", "path": "/metadata/finalizers"}]
    freed = threading.Timer(1.0, lambda: plane.api.edit(held, release))
    freed.start()
    assert stack.destroy().operations == {"held": "delete"}
    freed.join()
    assert plane.api.find(held) is None


@pytest.mark.parametrize(("policy", "orphaned"), [("background", False), ("orphan", True)])
def test_the_deletion_policy_is_the_users_choice(
    stack: Stack, plane: ControlPlane, namespace: str, policy: str, orphaned: bool
) -> None:
    chosen = workload("Deployment", namespace, skipAwait="true", deletionPropagationPolicy=policy)
    stack.up(Declared("web", chosen))
    sets = _replica_sets(plane, namespace, wanted=True)
    assert sets
    stack.destroy()
    assert bool(_replica_sets(plane, namespace, wanted=orphaned)) is orphaned


def _replica_sets(plane: ControlPlane, namespace: str, *, wanted: bool) -> list[Obj]:
    """The replica sets once there are some (or none any more), at the latest after a while."""
    found: list[Obj] = []
    pause = threading.Event()
    for _ in range(50):
        found = plane.api.list("apps/v1", "ReplicaSet", namespace)
        if bool(found) is wanted:
            return found
        pause.wait(0.2)
    return found


def test_cancelling_ends_the_wait_and_keeps_the_object(plane: ControlPlane, namespace: str) -> None:
    server, port = serve("")
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    plugin = provider_pb2_grpc.ResourceProviderStub(channel)
    arguments = encode({"kubeconfig": str(plane.kubeconfig)})
    plugin.Configure(provider_pb2.ConfigureRequest(args=arguments))
    obj = workload("Deployment", namespace)
    urn = "urn:pulumi:test::plugin-test::kubernetes:apps/v1:Deployment::web"
    request = provider_pb2.CreateRequest(urn=urn, properties=encode(obj))
    call = plugin.Create.future(request)
    assert _replica_sets(plane, namespace, wanted=True)
    plugin.Cancel(empty_pb2.Empty())
    with pytest.raises(grpc.RpcError, match="when the update was cancelled"):
        call.result(timeout=10)
    assert plane.api.find(obj)
    server.stop(grace=None)
