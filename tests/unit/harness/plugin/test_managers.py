"""Field ownership: what kubectl wrote is taken over, what controllers wrote is not."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plugin import managers


def entry(manager: str, operation: str, *fields: str, **extra: str) -> dict[str, Any]:
    owned: dict[str, Any] = {f"f:{field}": {} for field in fields}
    return {"manager": manager, "operation": operation, "fieldsV1": {"f:spec": owned}, **extra}


def live(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"resourceVersion": "7", "managedFields": list(entries)}}


OURS = entry("me", "Apply", "a")


@pytest.mark.parametrize(
    "theirs",
    [
        entry("kubectl-edit", "Update", "b"),
        entry("kubectl-client-side-apply", "Update", "b"),
        entry("kubectl", "Apply", "b"),
        entry("before-first-apply", "Update", "b"),
        entry("pulumi-kubernetes", "Update", "b"),
    ],
    ids=lambda e: e["manager"],
)
def test_earlier_hands_are_taken_over(theirs: dict[str, Any]) -> None:
    patch = managers.takeover(live(OURS, theirs), "me")
    assert patch is not None
    assert patch[0]["value"] == [entry("me", "Apply", "a", "b")]
    assert patch[1]["value"] == "7"


@pytest.mark.parametrize(
    "theirs",
    [
        entry("kube-controller-manager", "Update", "b"),
        entry("helm", "Apply", "b"),
        entry("kubectl", "Update", "b", subresource="scale"),
    ],
    ids=lambda e: e["manager"],
)
def test_controllers_keep_what_is_theirs(theirs: dict[str, Any]) -> None:
    assert managers.takeover(live(OURS, theirs), "me") is None


def test_ownership_is_read_per_field() -> None:
    obj = live(OURS, entry("hpa", "Update", "replicas"))
    assert managers.owns(obj, "me", ("spec", "a"))
    assert not managers.owns(obj, "me", ("spec", "replicas"))
