"""The seal key against a real API server: made once, never changed, never in what Pulumi keeps."""

from __future__ import annotations

import base64
import json
import threading

import pytest

from garrison.deployment.platform.seal import SealKeyProvider
from garrison.deployment.store_file import StoreFile
from garrison.deployment.vault import StoreError
from garrison.deployment.vault.applying import applied
from garrison.kube import KubectlError, ToolMissingError, check_reachable, kubectl
from garrison.words import Ref
from harness import build
from harness.plugin.testing.apiserver import ControlPlane

pytest_plugins = ["harness.plugin.testing.fixtures"]
NAME = "seal"


@pytest.fixture(autouse=True)
def _cluster(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
    monkeypatch.setenv("PATH", str(build.binary("kubectl").parent), prepend=":")


def value(namespace: str) -> bytes:
    said = kubectl(["get", "secret", NAME, "--namespace", namespace, "--output", "json"])
    return base64.b64decode(json.loads(said)["data"]["key"])


def test_the_key_is_made_once_and_pulumi_never_sees_it(namespace: str) -> None:
    provider, wanted = SealKeyProvider(), {"namespace": namespace, "name": NAME}
    assert provider.read(f"{namespace}/{NAME}", wanted).id is None
    first = provider.create(wanted)
    key = value(namespace)
    assert len(key) == 32
    assert first.outs is not None
    assert {name: first.outs[name] for name in wanted} == wanted
    assert base64.b64encode(key).decode() not in json.dumps(first.outs)
    second = provider.create(wanted)
    assert second.id == first.id
    assert value(namespace) == key, "a key that is there is never replaced: the volume would be lost"
    assert provider.read(first.id, wanted).id == first.id
    assert second.outs is not None
    provider.delete(second.id, second.outs)
    assert provider.read(first.id, wanted).id is None
    provider.delete(second.id, second.outs)  # once more is no error


def test_a_renamed_component_keeps_the_key(namespace: str) -> None:
    """Pulumi makes the resource under its new name, then deletes the old one: with the key, once."""
    provider, wanted = SealKeyProvider(), {"namespace": namespace, "name": NAME}
    old = provider.create(wanted)
    key = value(namespace)
    new = provider.create(wanted)
    assert old.outs is not None
    assert new.outs is not None
    provider.delete(old.id, old.outs)
    assert value(namespace) == key
    provider.delete(old.id, wanted)  # nor does one of 0.1.0, which knows no owner
    assert value(namespace) == key
    provider.delete(new.id, new.outs)
    assert provider.read(new.id, wanted).id is None


def test_files_get_a_key_that_no_file_has_once_and_when_the_namespace_is_there(
    namespace: str, plane: ControlPlane
) -> None:
    key, nowhere = Ref(namespace, NAME), Ref(f"{namespace}-later", NAME)
    assert list(applied(StoreFile((), (key,)), None, patience=0)) == [f"{key}: made"]
    made = value(namespace)
    assert len(made) == 32
    assert list(applied(StoreFile((), (key,)), None, patience=0)) == [f"{key}: is there"]
    assert value(namespace) == made
    with pytest.raises(StoreError, match=f"there is no namespace {nowhere.namespace} after 0 s; deploy the files"):
        list(applied(StoreFile((), (nowhere,)), None, patience=0))
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": nowhere.namespace}}
    appears = threading.Timer(1.0, plane.api.apply, (space, "test"))
    appears.start()
    try:
        assert list(applied(StoreFile((), (nowhere,)), None, patience=60)) == [f"{nowhere}: made"]
    finally:
        appears.join()
        plane.api.delete(space, "Background")


def test_two_keys_differ(namespace: str) -> None:
    provider, wanted = SealKeyProvider(), {"namespace": namespace, "name": NAME}
    keys = set()
    for _ in range(2):
        made = provider.create(wanted)
        keys.add(value(namespace))
        provider.delete(made.id, made.outs or {})
    assert len(keys) == 2


def test_the_key_cannot_be_changed_by_accident(namespace: str) -> None:
    SealKeyProvider().create({"namespace": namespace, "name": NAME})
    with pytest.raises(KubectlError, match="immutable"):
        patch = json.dumps({"data": {"key": "AAAA"}})
        kubectl(["patch", "secret", NAME, "--namespace", namespace, "--patch", patch])


def test_a_cluster_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    check_reachable()
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    with pytest.raises(
        KubectlError, match=r"^the cluster does not answer \(.*\); start it, or point KUBECONFIG"
    ) as error:
        check_reachable()
    assert "\n" not in str(error.value)


def test_no_kubectl_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolMissingError, match="kubectl is not in PATH"):
        check_reachable()
