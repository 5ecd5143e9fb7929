"""What a container inherits from its pod, and what it says itself; names of service accounts, old and new."""

from __future__ import annotations

from typing import Any

import pytest

from garrison_policies.language.objects import Object
from garrison_policies.rules import RULES
from policies.fixtures import findings


def breaks(rule: str, spec: dict[str, Any]) -> bool:
    pod = Object({"kind": "Pod", "spec": {"containers": [{"name": "app"}], **spec}})
    return bool(findings([one for one in RULES if one.id == rule], [pod]))


@pytest.mark.parametrize(
    ("pods", "own", "low"),
    [
        (10_000, None, False),
        (9_999, None, True),
        (None, 10_001, False),
        (None, None, True),
        (1000, 10_001, False),
        (10_001, 1000, True),
    ],
)
def test_the_container_has_the_last_word_on_its_user(pods: int | None, own: int | None, low: bool) -> None:
    container = {"name": "app", "securityContext": {} if own is None else {"runAsUser": own}}
    spec = {"containers": [container], "securityContext": {} if pods is None else {"runAsUser": pods}}
    assert breaks("high-user-id", spec) is low
    assert not breaks("high-user-id", {**spec, "hostUsers": False}), "mapped to high ids of the node"


@pytest.mark.parametrize(
    ("spec", "default"),
    [
        ({}, True),
        ({"serviceAccountName": "default"}, True),
        ({"serviceAccountName": ""}, True),
        ({"serviceAccountName": "app"}, False),
        ({"serviceAccount": "app"}, False),
        ({"serviceAccount": "default"}, True),
        ({"serviceAccountName": "default", "serviceAccount": "app"}, True),
    ],
)
def test_a_service_account_of_its_own(spec: dict[str, Any], default: bool) -> None:
    assert breaks("default-account", spec) is default


@pytest.mark.parametrize(("said", "mounts"), [({}, True), ({"automountServiceAccountToken": True}, True)])
def test_a_token_is_refused_unless_the_pod_says_so_itself(said: dict[str, Any], mounts: bool) -> None:
    assert breaks("token-automount", said) is mounts
    assert not breaks("token-automount", {"automountServiceAccountToken": False})
