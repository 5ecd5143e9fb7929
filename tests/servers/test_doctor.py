"""`garrison doctor` on a real API server: what it reads is there, and what it makes to measure passes admission."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from garrison import kube
from garrison.cluster import Cluster
from garrison.doctor import enforcement
from garrison.doctor.facts import Facts, read
from garrison.manifest import Manifest
from garrison.prove.kubectl import Kubectl
from garrison_policies.places import whole
from harness import build
from harness.plugin.testing.apiserver import ControlPlane
from servers import certmanager
from servers.enforcing import in_force
from servers.test_guard import GRAPH, obj
from unit.verbs import verb

pytest_plugins = ["harness.plugin.testing.fixtures"]
doctor = verb("doctor")
IMAGE = "registry.example/prober@sha256:" + "0" * 64


@pytest.fixture(autouse=True)
def _cluster(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig))
    monkeypatch.setenv("PATH", str(build.binary("kubectl").parent), prepend=":")


def test_what_it_reads_of_a_bare_api_server(plane: ControlPlane, capsys: pytest.CaptureFixture[str]) -> None:
    kube.check_version()
    deadline, wanted = time.monotonic() + 60, obj("v1", "Service", "default", "kubernetes")
    while (service := plane.api.find(wanted)) is None:  # the server makes it itself, a little after it answers
        assert time.monotonic() < deadline, "no Service for the API server after 60 s"
        time.sleep(0.2)
    found = read(Kubectl())
    assert found.version >= kube.OLDEST
    assert found.api_server == (service["spec"]["clusterIP"],), "one on loopback has no endpoint to tell of"
    assert (found.nodes, found.resolver, found.networks, found.unread) == ((), None, (), ())
    assert doctor(["--format", "json"]) == 1
    rules = {one["rule"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert rules == {"resolver-unknown", "storage-class-missing", "enforcement-unmeasured"}


def test_and_of_one_with_something_on_it(plane: ControlPlane) -> None:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    storage = obj("storage.k8s.io/v1", "StorageClass", "", "fast", provisioner="example.com/disk")
    storage["metadata"]["annotations"] = default
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}]
    dns = obj("v1", "Service", "kube-system", "kube-dns", spec={"ports": ports, "selector": {"k8s-app": "kube-dns"}})
    for item in (storage, dns):
        plane.api.apply(item, "test")
    try:
        found: Facts = read(Kubectl())
        assert (found.storage, found.default_storage) == (("fast",), True)
        assert found.resolver is not None
        assert (found.resolver.service, found.resolver.labels) == ("kube-dns", ()), "no pod answers for it here"
    finally:
        for item in (storage, dns):
            plane.api.delete(item, "Background")


@pytest.fixture
def guarded(plane: ControlPlane) -> Iterator[ControlPlane]:
    """The server with every admission policy in force, everywhere."""
    certmanager.install(plane)
    with in_force(plane, whole.manifests(GRAPH, Cluster())):
        yield plane


def test_what_it_makes_passes_admission(guarded: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody starts pods here; everything else is asked of the server for real."""
    bench = enforcement.Bench(Kubectl(), IMAGE, print)
    made: dict[str, Any] = {}

    def started(name: str, condition: str) -> Manifest:
        return {"status": {"podIP": "10.0.0.9"}, "spec": {"nodeName": "n"}}

    monkeypatch.setattr(bench, "_until", started)
    monkeypatch.setattr(bench, "_said", lambda name: {"open_ms": 0, "answered": 1})
    monkeypatch.setattr(bench, "_turned", lambda *, answered: 1)
    applied = Kubectl.apply

    def remembered(self: Kubectl, manifests: Any, **rest: Any) -> None:
        listed = list(manifests)
        made.update({item["metadata"]["name"]: item for item in listed})
        applied(self, listed, **rest)

    monkeypatch.setattr(Kubectl, "apply", remembered)
    try:
        bench.start()
        assert (bench.turn("Ingress"), bench.turn("Egress")) == (1, 1)
        assert (bench.new_pod_out(), bench.new_pod_in()) == (0, 0)
    finally:
        guarded.api.delete(obj("v1", "Namespace", "", bench.space), "Background")
    assert {item["kind"] for item in made.values()} == {"Namespace", "ServiceAccount", "Pod", "NetworkPolicy"}
