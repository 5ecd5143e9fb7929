"""The proof's questions for identities on a real API server: whose refusal each is, and each cut of the drill."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from garrison.cluster import Cluster
from garrison.derive.names import CERTIFICATE_REQUESTS, CERTIFICATES, admission_policy
from garrison.prove.expect.expected import expected
from garrison.prove.kubectl import Kubectl
from garrison.prove.look import certify
from garrison.prove.model import Certify, Kind, Probe, Result, Seen
from garrison_policies.places import whole
from harness.build import binary
from harness.plugin.testing.apiserver import ControlPlane
from servers import certmanager
from unit.estates import shop_app

pytest_plugins = ["harness.plugin.testing.fixtures"]
GRAPH = shop_app().graph()
PROBES = [probe for probe in expected(GRAPH) if isinstance(probe.attempt, Certify)]
HOME = "garrison-probe-a1b2c3"
Ask = Callable[[Probe], Seen]


@pytest.fixture
def ask(plane: ControlPlane) -> Iterator[Ask]:
    """A namespace of a run's own, with its editor."""
    certmanager.install(plane)
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}}
    made = [space, *certify.rights(HOME, "run")]
    for item in made:
        plane.api.apply(item, "test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{binary('kubectl').parent}{os.pathsep}{os.environ['PATH']}")
        kubectl = Kubectl(kubeconfig=str(plane.kubeconfig))
        own = next(probe for probe in PROBES if probe.kind == Kind.OWN_IDENTITY)
        until(lambda: certify.ask(kubectl, GRAPH, own, HOME, "garrison").verdict == "allowed", "the editor may ask")
        yield lambda probe: certify.ask(kubectl, GRAPH, probe, HOME, "garrison")
    for item in reversed(made[1:]):
        plane.api.delete(item, "Background")


@pytest.fixture
def guarded(plane: ControlPlane, ask: Ask) -> Iterator[dict[str, dict[str, Any]]]:
    """Everything that admission enforces, by name of its binding."""
    made = whole.manifests(GRAPH, Cluster())
    for item in made:
        plane.api.apply(item, "test")
    until(lambda: not wrong(ask), "the policies are in force")
    yield {item["metadata"]["name"]: item for item in made if item["kind"].endswith("Binding")}
    for item in reversed(made):
        plane.api.delete(item, "Background")
    until(lambda: len(wrong(ask)) == len(PROBES) - 1, "the policies are gone")


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"not within 60 s: {what}"
        time.sleep(0.2)


def wrong(ask: Ask) -> list[Probe]:
    return [probe for probe in PROBES if not Result(probe, ask(probe)).ok]


def test_without_policies_the_editor_gets_every_identity(ask: Ask) -> None:
    assert {ask(probe).verdict for probe in PROBES} == {"allowed"}, "nothing else stands in the way"


def test_each_identity_of_another_is_refused_by_a_policy_and_the_own_one_is_given(
    ask: Ask, guarded: dict[str, dict[str, Any]]
) -> None:
    policies: dict[object, str] = {
        Kind.ANOTHERS_IDENTITY: admission_policy(CERTIFICATES),
        Kind.REQUEST_BY_HAND: admission_policy(CERTIFICATE_REQUESTS),
    }
    for probe in PROBES:
        if probe.kind in policies:
            assert ask(probe).reason.startswith(f"policy {policies[probe.kind]}: ")


def test_each_cut_opens_its_door_and_no_other(
    plane: ControlPlane, ask: Ask, guarded: dict[str, dict[str, Any]]
) -> None:
    for family, kind in ((CERTIFICATES, Kind.ANOTHERS_IDENTITY), (CERTIFICATE_REQUESTS, Kind.REQUEST_BY_HAND)):
        binding = guarded[admission_policy(family)]
        plane.api.delete(binding, "Background")
        until(lambda: {probe.kind for probe in wrong(ask)} == {kind}, f"{kind} stands open alone")  # noqa: B023 at once
        plane.api.apply(binding, "test")
        until(lambda: not wrong(ask), "it is shut again")


def test_an_editor_without_the_right_is_refused_by_rbac_which_proves_nothing(plane: ControlPlane, ask: Ask) -> None:
    role, binding = certify.rights(HOME, "run")
    plane.api.delete(binding, "Background")
    until(lambda: {ask(probe).layer for probe in PROBES} == {"rbac"}, "the right is gone")
    assert wrong(ask) == PROBES
    plane.api.apply(binding, "test")
    assert role["kind"] == "Role"
