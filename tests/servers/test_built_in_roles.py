"""The roles every API server has: what rules know of them by heart is what the server says of them itself."""

from __future__ import annotations

import json
import time
from typing import Any

from garrison_policies.language.objects import Inventory, Object
from garrison_policies.rules import powers
from garrison_policies.rules.granted import roles
from harness.plugin.testing.apiserver import ControlPlane

pytest_plugins = ["harness.plugin.testing.fixtures"]
POWERS = {
    name: getattr(powers, name)
    for name in ("READS_SECRETS", "EXECUTES", "ESCALATES", "CREATES_PODS", "EVERYTHING", "BECOMES_ANOTHER")
}
OF_ITS_OWN = "cluster-admin"  # it has a rule of its own


def on_the_server(plane: ControlPlane) -> list[Object]:
    """The cluster roles, once the server has made the last of them."""
    client, deadline = plane.api.client, time.monotonic() + 60
    while True:
        answer = client._pool.request("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles", headers=client._headers)
        items: list[dict[str, Any]] = json.loads(answer.data)["items"]
        head = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
        found = [Object({**head, **{key: value for key, value in item.items() if value}}) for item in items]
        if {"view", "system:controller:ttl-after-finished-controller"} <= {item.name for item in found}:
            return found
        assert time.monotonic() < deadline, "the server made no roles within 60 s"
        time.sleep(0.2)


def gives(found: list[Object]) -> dict[str, set[str]]:
    """Each role by name, with what it amounts to; those that amount to nothing left out."""
    amounts = {
        name: {power for power, test in POWERS.items() if any(test.holds(rule, rule) for rule in rules)}
        for (_, _, name), rules in roles(Inventory(tuple(found)))
    }
    return {name: given for name, given in amounts.items() if given and name != OF_ITS_OWN}


def test_the_rules_know_what_the_servers_roles_give(plane: ControlPlane) -> None:
    known, said = gives([]), gives(on_the_server(plane))
    assert known == said
    assert "BECOMES_ANOTHER" in said["edit"], "positive control"
