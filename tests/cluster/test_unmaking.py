"""The end of a stack: `pulumi destroy` leaves nothing behind. Its name keeps it last; it makes the stack again."""

from __future__ import annotations

import json

import pytest

from cluster.estate import NAMESPACES, PLATFORM, order, placed, pulumi
from cluster.live import CLUSTER, eventually, kubectl
from harness import cluster, environment, provider, visit


def test_destroy_leaves_no_object_and_up_makes_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    order()
    assert garrison_objects(), "the control: the same question finds what is deployed"
    # The whole state is otherwise written at each of 650 steps, which takes longer than what it is about.
    monkeypatch.setenv("PULUMI_SKIP_CHECKPOINTS", "true")
    with cluster.unsettled(CLUSTER):
        pulumi("destroy", "--yes", "--skip-preview")
        eventually(lambda: not garrison_objects(), "everything that was made is gone", 120)
        namespaces = kubectl("get", "namespaces", "-o", "name")
        for namespace in (*NAMESPACES, *PLATFORM):
            assert f"namespace/{namespace}\n" not in namespaces + "\n"
        assert "cert-manager.io" not in kubectl("get", "crds", "-o", "name")
        eventually(lambda: "Bound" not in kubectl("get", "pv"), "the volumes are gone", 60)
        assert json.loads(pulumi("stack", "export")).get("deployment", {}).get("resources", [])[1:] == []
        pulumi("up", "--yes", "--skip-preview")
    provider.introduce(CLUSTER, visit.declared(), environment.full(CLUSTER))  # of the new store's key
    eventually(placed, "an order can be placed in the new estate", 120)


def garrison_objects() -> list[str]:
    """Every object of any listable kind that carries our label."""
    kinds = kubectl("api-resources", "--verbs=list", "-o", "name").split()
    skipped = {"events", "events.events.k8s.io"}  # what the API server itself keeps for an hour
    wanted = ",".join(kind for kind in kinds if kind not in skipped)
    label = "app.kubernetes.io/managed-by=garrison"
    return kubectl("get", wanted, "-A", "-l", label, "-o", "name", "--ignore-not-found").split()
