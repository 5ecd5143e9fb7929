"""The stand-in plugin under the real engine and a real API server: create to destroy."""

from __future__ import annotations

from typing import Any

import pytest
from harness.plugin.errors import ApiError
from harness.plugin.testing.apiserver import ControlPlane
from harness.plugin.testing.stack import Declared, Failed, Stack

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


def test_an_object_is_previewed_created_kept_changed_and_destroyed(
    stack: Stack, plane: ControlPlane, namespace: str
) -> None:
    account = service_account(namespace, tier="one")
    assert stack.preview(Declared("web", account)).operations == {"web": "create"}
    assert plane.api.find(account) is None

    assert stack.up(Declared("web", account)).operations == {"web": "create"}
    live = plane.api.get(account)
    assert live["metadata"]["labels"] == {"tier": "one"}
    managers = {(m["manager"], m["operation"]) for m in live["metadata"]["managedFields"]}
    assert managers == {("pulumi-kubernetes", "Apply")}

    assert stack.up(Declared("web", account)).operations == {"web": "same"}

    changed = service_account(namespace, tier="two")
    planned = stack.preview(Declared("web", changed))
    assert planned.operations == {"web": "update"}
    assert planned.changed == {"web": {"metadata.labels.tier"}}
    assert plane.api.get(account)["metadata"]["labels"] == {"tier": "one"}
    assert stack.up(Declared("web", changed)).operations == {"web": "update"}
    after = plane.api.get(account)["metadata"]
    assert (after["labels"], after["uid"]) == ({"tier": "two"}, live["metadata"]["uid"])

    assert stack.destroy().operations == {"web": "delete"}
    assert plane.api.find(account) is None
