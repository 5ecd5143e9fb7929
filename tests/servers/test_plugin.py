"""The stand-in plugin under the real engine and a real API server, in short: tests/plugin has every case."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness.plugin import launcher
from harness.plugin.testing.apiserver import ControlPlane
from harness.plugin.testing.stack import Declared, Make, Stack

pytest_plugins = ["harness.plugin.testing.fixtures"]
Obj = dict[str, Any]


def service_account(namespace: str, name: str = "web", **labels: str) -> Obj:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def config_map(namespace: str, **metadata: Any) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "m", "namespace": namespace, **metadata},
        "data": {"a": "1"},
    }


def namespace_object(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def test_an_object_is_previewed_created_kept_changed_and_destroyed(
    make_stack: Make, plane: ControlPlane, namespace: str
) -> None:
    stack = make_stack()
    account = service_account(namespace, tier="one")
    planned = stack.preview(Declared("web", account))
    assert planned.operations == {"web": "create"}
    assert "using pulumi-resource-kubernetes from $PATH" in planned.said
    assert "stand-in Kubernetes plugin" in planned.said
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


def test_the_launcher_starts_the_plugin_of_this_checkout(tmp_path: Path) -> None:
    path = launcher.write_launcher(tmp_path, Path(sys.executable))
    assert path == tmp_path / "pulumi-resource-kubernetes"
    process = subprocess.Popen([path, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert int(process.stdout.readline()) > 0
    process.terminate()
    assert process.wait(timeout=30) == 0


def test_a_namespace_comes_before_what_needs_it_whatever_the_order(stack: Stack, plane: ControlPlane) -> None:
    inside = Declared("map", config_map("ordering"))
    around = Declared("space", namespace_object("ordering"))
    planned = stack.preview(inside, around)
    assert planned.operations == {"map": "create", "space": "create"}
    assert 'namespace "ordering" is not there yet' in planned.said
    stack.up(inside, around)
    assert plane.api.find(inside.manifest)
    stack.destroy()
    assert plane.api.find(around.manifest) is None


def test_secrets_are_hidden_in_the_output_and_encrypted_in_the_state(
    stack: Stack, plane: ControlPlane, namespace: str
) -> None:
    def secret(value: str) -> Declared:
        manifest = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "namespace": namespace},
            "stringData": {"password": value},
        }
        return Declared("secret", manifest)

    plain_text, encoded = "hunter2-hunter2", "aHVudGVyMi1odW50ZXIy"
    outcome = stack.up(secret(plain_text))
    assert plane.api.get(secret("").manifest)["data"] == {"password": encoded}
    state = json.dumps(stack.resources()) + outcome.said
    assert plain_text not in state
    assert encoded not in state
    assert namespace in state
    planned = stack.preview(secret("other"))
    assert planned.operations == {"secret": "replace"}
    assert planned.changed == {"secret": {"stringData.password"}}
