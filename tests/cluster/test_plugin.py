"""The stand-in plugin and real workloads: it waits until they run, says why they do not, and cleans up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cluster import live
from harness.plugin.testing.stack import Declared, Failed, Stack, Tools

Obj = dict[str, Any]
NAMESPACE = "plugin-test"
HELPER = "docker.io/library/busybox:1.36"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("plugin")
    made = Stack(Tools(folder / "tools"), folder / "stack", {"KUBECONFIG": str(live.KUBECONFIG)})
    yield made
    made.destroy()


def declared(api_version: str, kind: str, name: str, spec: Obj, *, after: str = "space", **notes: str) -> Declared:
    annotations = {f"pulumi.com/{key}": value for key, value in notes.items()}
    metadata = {"name": name, "namespace": NAMESPACE, "annotations": annotations}
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}
    return Declared(name, manifest, {"after": [after]})


def pod(command: str, image: str = HELPER, **more: Any) -> Obj:
    container = {"name": "app", "image": image, "imagePullPolicy": "Never", "command": ["sh", "-c", command]}
    return {"containers": [container], "terminationGracePeriodSeconds": 0, **more}


def workload(kind: str, name: str, command: str, image: str = HELPER, **notes: str) -> Declared:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod(command, image)}
    return declared("apps/v1", kind, name, {"selector": {"matchLabels": labels}, "template": template}, **notes)


SPACE = Declared("space", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
CERTIFICATE = {"secretName": "cert", "dnsNames": ["plugin.example"], "issuerRef": {"name": "issuer"}}
ESTATE = [
    SPACE,
    workload("Deployment", "deployment", "sleep 1000"),
    workload("StatefulSet", "statefulset", "sleep 1000"),
    workload("DaemonSet", "daemonset", "sleep 1000"),
    declared("v1", "Pod", "pod", pod("sleep 1000")),
    declared("batch/v1", "Job", "job", {"template": {"spec": pod("exit 0", restartPolicy="Never")}}),
    declared("v1", "Service", "service", {"selector": {"app": "deployment"}, "ports": [{"port": 80}]}),
    declared("v1", "PersistentVolumeClaim", "claim", CLAIM),
    declared("cert-manager.io/v1", "Issuer", "issuer", {"selfSigned": {}}),
    declared("cert-manager.io/v1", "Certificate", "cert", CERTIFICATE),
]


def test_what_is_created_runs_and_stays_as_it_is(stack: Stack) -> None:
    names = [item.name for item in ESTATE]
    assert stack.up(*ESTATE, parallel=32).operations == dict.fromkeys(names, "create")
    ready = live.get("deployment", "deployment", "-n", NAMESPACE)["status"]
    assert ready["availableReplicas"] == 1
    assert live.get("secret", "cert", "-n", NAMESPACE)["data"]["tls.crt"]
    stack.refresh(*ESTATE)
    assert stack.preview(*ESTATE).operations == dict.fromkeys(names, "same")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (workload("Deployment", "broken", "x", "example.invalid/none:1", timeoutSeconds="15"), "ErrImageNeverPull"),
        (declared("batch/v1", "Job", "broken", {"backoffLimit": 0, "template": {"spec": pod(
            "exit 3", restartPolicy="Never")}}), "exit code 3"),
        (declared("cert-manager.io/v1", "Certificate", "broken", {
            "secretName": "broken", "dnsNames": ["a.example"], "issuerRef": {"name": "absent"}},
            timeoutSeconds="15"), 'issuer.cert-manager.io "absent" not found'),
    ],
)  # fmt: skip
def test_what_does_not_become_ready_is_explained(stack: Stack, broken: Declared, reason: str) -> None:
    with pytest.raises(Failed, match=reason):
        stack.up(SPACE, broken)


def test_destroying_waits_until_everything_is_gone(stack: Stack) -> None:
    stack.up(SPACE)
    assert live.get("namespace", NAMESPACE)["status"]["phase"] == "Active"
    stack.destroy()
    assert NAMESPACE not in live.kubectl("get", "namespaces", "-o", "name")
