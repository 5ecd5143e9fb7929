"""The stand-in plugin from create to destroy: changes, replacements, names, drift, conflicts, imports."""

from __future__ import annotations

from typing import Any

import pytest

from garrison import render
from harness.plugin.testing.apiserver import ControlPlane
from harness.plugin.testing.stack import Declared, Failed, Stack
from unit.estates import DIGEST, empty_app

pytest_plugins = ["harness.plugin.testing.fixtures"]
Obj = dict[str, Any]


def config_map(namespace: str, data: dict[str, str], **metadata: Any) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": namespace, **metadata},
        "data": data,
    }


def service_account(namespace: str, name: str = "web", **labels: str) -> Obj:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def test_a_second_run_changes_nothing_whatever_the_server_adds(stack: Stack, namespace: str) -> None:
    place = {"name": "web", "namespace": namespace}
    labels = {"app": "web"}
    container = {
        "name": "app",
        "image": "example/app",
        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}},
        "env": [{"name": "EMPTY", "value": ""}],
    }
    objects = [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {**place, "annotations": {"pulumi.com/skipAwait": "true"}},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": place,
            "spec": {"podSelector": {}, "ingress": [], "policyTypes": ["Ingress", "Egress"]},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": place,
            "spec": {"clusterIP": "None", "selector": labels, "ports": [{"port": 80}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": place,
            "stringData": {"a.b": "x"},
        },
    ]
    declared = [Declared(str(item["kind"]), item) for item in objects]
    kinds = [item.name for item in declared]
    assert stack.up(*declared).operations == dict.fromkeys(kinds, "create")
    assert stack.up(*declared).operations == dict.fromkeys(kinds, "same")
    stack.refresh(*declared)
    assert stack.preview(*declared).operations == dict.fromkeys(kinds, "same")


def test_an_immutable_field_replaces_and_the_old_object_goes_first(
    stack: Stack, plane: ControlPlane, namespace: str
) -> None:
    def binding(role: str) -> Declared:
        group = "rbac.authorization.k8s.io"
        manifest = {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "b", "namespace": namespace},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": role},
        }
        return Declared("binding", manifest)

    stack.up(binding("one"))
    before = plane.api.get(binding("one").manifest)
    planned = stack.preview(binding("two"))
    assert planned.operations == {"binding": "replace"}
    assert planned.changed == {"binding": {"roleRef.name"}}
    assert stack.up(binding("two")).operations == {"binding": "replace"}
    after = plane.api.get(binding("two").manifest)
    assert after["roleRef"]["name"] == "two"
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


def test_a_changed_job_of_an_estate_takes_the_place_of_the_one_before(
    stack: Stack, plane: ControlPlane, namespace: str
) -> None:
    """Derived, and changed as a program changes it: another command is another run under the same name."""

    def derived(command: str) -> Obj:
        app = empty_app()
        app.namespace("shop").job("once", image="registry.example/once" + DIGEST, command=[command])
        made: Obj = next(item for item in render(app.graph()) if item["kind"] == "Job")
        made["metadata"] |= {"namespace": namespace, "annotations": {"pulumi.com/skipAwait": "true"}}
        return made

    def said(command: str) -> Declared:
        return Declared("job", derived(command))

    stack.up(said("/one"))
    before = plane.api.get(derived("/one"))
    assert stack.up(said("/one")).operations == {"job": "same"}, "nothing of what the server adds is a change"
    assert stack.up(said("/two")).operations == {"job": "replace"}
    after = plane.api.get(derived("/two"))
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"]["template"]["spec"]["containers"][0]["command"] == ["/two"]


def test_a_field_that_only_the_server_knows_to_be_immutable_replaces_too(stack: Stack, plane: ControlPlane) -> None:
    def ingress_class(controller: str) -> Declared:
        manifest = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": "plugin-test"},
            "spec": {"controller": controller},
        }
        return Declared("class", manifest)

    stack.up(ingress_class("example.com/one"))
    outcome = stack.up(ingress_class("example.com/two"))
    assert outcome.operations == {"class": "replace"}
    live = plane.api.get(ingress_class("").manifest)
    assert live["spec"]["controller"] == "example.com/two"


@pytest.mark.parametrize(("mutable", "operation"), [("false", "replace"), ("true", "update")])
def test_config_maps_are_replaced_unless_said_to_be_mutable(
    stack: Stack, namespace: str, mutable: str, operation: str
) -> None:
    stack.environment["PULUMI_K8S_ENABLE_CONFIGMAP_MUTABLE"] = mutable
    stack.up(Declared("map", config_map(namespace, {"a": "1"})))
    outcome = stack.up(Declared("map", config_map(namespace, {"a": "2"})))
    assert outcome.operations == {"map": operation}
    assert outcome.changed == {"map": {"data.a"}}


def test_names_are_made_up_kept_and_made_up_again_for_a_replacement(
    stack: Stack, plane: ControlPlane, namespace: str
) -> None:
    def unnamed(value: str, **labels: str) -> Declared:
        manifest = config_map(namespace, {"a": value}, labels=labels)
        del manifest["metadata"]["name"]
        return Declared("auto", manifest)

    def live() -> set[str]:
        found = plane.api.list("v1", "ConfigMap", namespace)
        return {m["metadata"]["name"] for m in found if m["metadata"]["name"].startswith("auto-")}

    stack.up(unnamed("1"))
    first = live()
    assert len(first) == 1
    assert stack.up(unnamed("1", tier="x")).operations == {"auto": "update"}
    assert live() == first
    assert stack.up(unnamed("2", tier="x")).operations == {"auto": "replace"}
    assert len(live()) == 1
    assert live() != first


def test_drift_is_seen_by_refresh_and_undone_by_the_next_run(stack: Stack, plane: ControlPlane, namespace: str) -> None:
    account = service_account(namespace, tier="one")
    stack.up(Declared("web", account))
    tampered = service_account(namespace, tier="tampered")
    plane.api.apply(tampered, "kubectl", force=True)
    assert stack.refresh(Declared("web", account)).operations == {"web": "refresh"}
    planned = stack.preview(Declared("web", account))
    assert planned.changed == {"web": {"metadata.labels.tier"}}
    assert stack.up(Declared("web", account)).operations == {"web": "update"}
    assert plane.api.get(account)["metadata"]["labels"] == {"tier": "one"}


def test_an_object_deleted_by_hand_is_dropped_by_refresh_and_made_again(
    stack: Stack, plane: ControlPlane, namespace: str
) -> None:
    account = service_account(namespace)
    stack.up(Declared("web", account))
    plane.api.delete(account, "Background")
    stack.refresh(Declared("web", account))
    assert "web" not in stack.resources()
    assert stack.up(Declared("web", account)).operations == {"web": "create"}
    plane.api.delete(account, "Background")
    assert stack.destroy().operations == {"web": "delete"}


def test_fields_of_another_manager_are_not_taken_without_being_told(
    stack: Stack, plane: ControlPlane, namespace: str
) -> None:
    account = service_account(namespace, tier="one")
    stack.up(Declared("web", account))
    plane.api.apply(service_account(namespace, tier="theirs"), "controller", force=True)
    ours = service_account(namespace, tier="two")
    with pytest.raises(Failed, match='conflict with "controller"'):
        stack.up(Declared("web", ours))
    assert plane.api.get(account)["metadata"]["labels"] == {"tier": "theirs"}
    ours["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    stack.up(Declared("web", ours))
    assert plane.api.get(account)["metadata"]["labels"] == {"tier": "two"}


def test_an_existing_object_is_imported_by_its_id(stack: Stack, plane: ControlPlane, namespace: str) -> None:
    existing = plane.api.apply(service_account(namespace, tier="one"), "someone")
    same = Declared("web", service_account(namespace, tier="one"), {"import_": f"{namespace}/web"})
    assert stack.up(same).operations == {"web": "import"}
    assert stack.resources()["web"]["id"] == f"{namespace}/web"
    kept = plane.api.get(same.manifest)
    assert kept["metadata"]["uid"] == existing["metadata"]["uid"]
    assert stack.up(Declared("web", same.manifest)).operations == {"web": "same"}


def test_an_object_that_exists_is_not_taken_over_unless_upserting_is_on(
    stack: Stack, plane: ControlPlane, namespace: str
) -> None:
    account = service_account(namespace, tier="one")
    plane.api.apply(account, "pulumi-kubernetes")
    with pytest.raises(Failed, match="already exists"):
        stack.up(Declared("web", account))
    stack.environment["PULUMI_K8S_UPSERT_EXISTING_OBJECTS"] = "true"
    assert stack.up(Declared("web", account)).operations == {"web": "create"}


def test_a_refusal_quotes_the_api_server_at_preview_already(stack: Stack, namespace: str) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "q", "namespace": namespace},
        "spec": {"hard": {"pods": "-1"}},
    }
    with pytest.raises(Failed, match=r"spec\.hard\[pods\].*must be greater than or equal to 0"):
        stack.preview(Declared("quota", quota))


def test_ignored_changes_are_neither_planned_nor_made(stack: Stack, plane: ControlPlane, namespace: str) -> None:
    account = service_account(namespace, tier="one", team="a")
    stack.up(Declared("web", account))
    changed = service_account(namespace, tier="two", team="b")
    ignoring = Declared("web", changed, {"ignore_changes": ["metadata.labels.tier"]})
    assert stack.up(ignoring).changed == {"web": {"metadata.labels.team"}}
    assert plane.api.get(account)["metadata"]["labels"] == {"tier": "one", "team": "b"}


def test_what_somebody_added_is_drift_too(stack: Stack, plane: ControlPlane, namespace: str) -> None:
    policy: Obj = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "closed", "namespace": namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"ports": [{"port": 80}]}]},
    }
    stack.up(Declared("policy", policy))
    assert stack.refresh(Declared("policy", policy)).operations == {"policy": "refresh"}
    assert stack.preview(Declared("policy", policy)).operations == {"policy": "same"}
    everyone = [{"op": "add", "path": "/spec/ingress/-", "value": {}}]
    plane.api.edit(policy, everyone)
    stack.refresh(Declared("policy", policy))
    with pytest.raises(Failed, match="conflict"):
        stack.up(Declared("policy", policy))
    policy["metadata"]["annotations"] = {"pulumi.com/patchForce": "true"}
    assert "spec.ingress[1]" in stack.up(Declared("policy", policy)).changed["policy"]
    assert len(plane.api.get(policy)["spec"]["ingress"]) == 1
