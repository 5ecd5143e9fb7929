"""The stand-in plugin and the state of the cluster: unreachable, not ready for it yet, secrets."""

from __future__ import annotations

import json
import threading
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from harness.plugin.errors import Unreachable
from harness.plugin.retry import Job, patience
from harness.plugin.testing.apiserver import ControlPlane
from harness.plugin.testing.stack import Declared, Failed, Make, Stack

pytest_plugins = ["harness.plugin.testing.fixtures"]
Obj = dict[str, Any]

NOWHERE = """\
current-context: c
contexts: [{name: c, context: {cluster: a}}]
clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]
"""
GROUP = "plugin.garrison.dev"
IMPATIENT = {"pulumi.com/timeoutSeconds": "2"}


def config_map(namespace: str, **metadata: Any) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "m", "namespace": namespace, **metadata},
        "data": {"a": "1"},
    }


def definition(plural: str, kind: str) -> Obj:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "scope": "Cluster",
            "versions": [version],
        },
    }


def custom(kind: str, **metadata: Any) -> Obj:
    return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {"name": "one", **metadata}}


def test_without_a_cluster_a_preview_works_and_says_so_and_an_update_fails_clearly(
    make_stack: Make, plane: ControlPlane, namespace: str, tmp_path: Any
) -> None:
    nowhere = tmp_path / "nowhere"
    nowhere.write_text(NOWHERE)
    stack = make_stack()
    there = config_map(namespace, annotations=IMPATIENT)
    stack.up(Declared("map", there))

    stack.environment["KUBECONFIG"] = str(nowhere)
    changed = config_map(namespace, annotations=IMPATIENT, labels={"x": "y"})
    planned = stack.preview(Declared("map", changed), Declared("new", config_map("later")))
    assert planned.operations == {"map": "update", "new": "create"}
    assert planned.changed["map"] == {"metadata.labels"}
    assert "https://127.0.0.1:1 cannot be reached" in planned.said
    assert stack.preview(Declared("map", there)).operations == {"map": "same"}
    with pytest.raises(Failed, match=r"https://127\.0\.0\.1:1 cannot be reached") as failure:
        stack.up(Declared("map", changed))
    assert "Traceback" not in str(failure.value)

    with pytest.raises(Failed, match="PULUMI_K8S_DELETE_UNREACHABLE"):
        stack.destroy()
    stack.environment["PULUMI_K8S_DELETE_UNREACHABLE"] = "true"
    stack.destroy()
    assert "map" not in stack.resources()
    plane.api.delete(config_map(namespace), "Background")


def test_whoever_says_nothing_waits_half_a_minute_for_a_server_that_does_not_answer() -> None:
    away, said = Unreachable("away"), config_map("a", annotations=IMPATIENT)
    jobs = [Job.of("urn", inputs, "test", 0, patch=False) for inputs in (config_map("a"), said)]
    assert [patience(away, job, declared=False) for job in jobs] == [30, 2]


def test_a_missing_kubeconfig_is_one_clear_line(make_stack: Make) -> None:
    stack = make_stack(KUBECONFIG="/nowhere/config")
    with pytest.raises(Failed, match="no kubeconfig at /nowhere/config: set KUBECONFIG"):
        stack.up(Declared("map", config_map("default")))


def test_a_kind_comes_before_its_objects_whatever_the_order(stack: Stack, plane: ControlPlane) -> None:
    thing = Declared("thing", custom("Thing"))
    kind = Declared("kind", definition("things", "Thing"))
    planned = stack.preview(thing, kind)
    assert planned.operations == {"thing": "create", "kind": "create"}
    assert f"{GROUP}/v1 Thing is not served yet" in planned.said
    stack.up(thing, kind)
    assert plane.api.find(thing.manifest)
    assert stack.up(thing, kind).operations == {"thing": "same", "kind": "same"}


def test_a_changed_definition_is_updated_in_place(stack: Stack, plane: ControlPlane) -> None:
    kind, changed = definition("gadgets", "Gadget"), definition("gadgets", "Gadget")
    changed["spec"]["names"]["shortNames"] = ["gd"]
    stack.up(Declared("kind", kind))
    before = plane.api.get(kind)["metadata"]["uid"]
    outcome = stack.up(Declared("kind", changed))
    assert outcome.operations == {"kind": "update"}
    live = plane.api.get(kind)
    assert (live["metadata"]["uid"], live["spec"]["names"]["shortNames"]) == (before, ["gd"])


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (custom("Nothing", annotations={"pulumi.com/timeoutSeconds": "1"}), "CRDs"),
        (
            config_map("nowhere", annotations={"pulumi.com/timeoutSeconds": "1"}),
            '"nowhere" not found',
        ),
    ],
)
def test_what_never_comes_is_given_up_on(stack: Stack, manifest: Obj, message: str) -> None:
    with pytest.raises(Failed, match=message):
        stack.up(Declared("orphan", manifest))


def webhook(name: str) -> Obj:
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["configmaps"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": f"{name}.{GROUP}",
                "clientConfig": {"url": "https://127.0.0.1:1/validate"},
                "rules": [rule],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 1,
            }
        ],
    }


def test_a_webhook_that_is_still_starting_is_waited_for(stack: Stack, plane: ControlPlane, namespace: str) -> None:
    hook = webhook(namespace)
    plane.api.apply(hook, "test")
    impatient = config_map(namespace, annotations={"pulumi.com/timeoutSeconds": "2"})
    with pytest.raises(Failed, match="connection refused"):
        stack.up(Declared("map", impatient))

    starts = threading.Timer(3.0, lambda: plane.api.delete(hook, "Background"))
    starts.start()
    assert stack.up(Declared("map", config_map(namespace))).operations == {"map": "create"}
    starts.join()


def test_a_secret_input_stays_secret_in_any_kind(stack: Stack, namespace: str) -> None:
    def run() -> None:
        kubernetes.core.v1.ConfigMap(
            "map",
            metadata={"name": "m", "namespace": namespace},
            data={"open": "readable", "hidden": pulumi.Output.secret("not-readable")},
        )

    stack.up(run=run)
    state = json.dumps(stack.resources())
    assert "readable" in state
    assert "not-readable" not in state


def test_the_cluster_can_be_named_by_provider_arguments(make_stack: Make, plane: ControlPlane, namespace: str) -> None:
    stack = make_stack(KUBECONFIG="/nowhere/config")

    def run() -> None:
        provider = kubernetes.Provider(
            "chosen",
            kubeconfig=plane.kubeconfig.read_text(),
            context="test",
            namespace=namespace,
        )
        options = pulumi.ResourceOptions(provider=provider)
        made = kubernetes.core.v1.ConfigMap("map", metadata={"name": "m"}, data={"a": "1"}, opts=options)
        pulumi.export("namespace", made.metadata.namespace)

    stack.up(run=run)
    assert stack.resources()["map"]["id"] == f"{namespace}/m"
    assert plane.api.find(config_map(namespace))
    assert stack.up(run=run).operations == {"map": "same"}
    stack.up(run=lambda: None)
    assert plane.api.find(config_map(namespace)) is None


def test_values_known_only_later_are_previewed_as_such(stack: Stack, namespace: str) -> None:
    def run() -> None:
        first = kubernetes.core.v1.ConfigMap(
            "first", metadata={"name": "first", "namespace": namespace}, data={"a": "1"}
        )
        copied = {"uid": first.metadata.uid}
        kubernetes.core.v1.ConfigMap("second", metadata={"name": "second", "namespace": namespace}, data=copied)

    assert stack.preview(run=run).operations == {"first": "create", "second": "create"}
    stack.up(run=run)
    assert stack.up(run=run).operations == {"first": "same", "second": "same"}


def test_a_patch_resource_changes_a_foreign_object_and_gives_it_back(
    stack: Stack, plane: ControlPlane, namespace: str
) -> None:
    plane.api.apply(config_map(namespace), "owner")

    def run() -> None:
        kubernetes.core.v1.ConfigMapPatch(
            "patch", metadata={"name": "m", "namespace": namespace, "labels": {"by": "patch"}}
        )

    stack.up(run=run)
    assert plane.api.get(config_map(namespace))["metadata"]["labels"] == {"by": "patch"}
    stack.destroy()
    left = plane.api.get(config_map(namespace))
    assert (left["metadata"].get("labels"), left["data"]) == (None, {"a": "1"})
