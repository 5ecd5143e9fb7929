"""Which Secrets a pod reads, by every way there is, and who keeps them."""

from __future__ import annotations

from typing import Any

import pytest

from garrison_policies.language.objects import Object
from garrison_policies.rules import secret_use
from policies.fixtures import findings

VOLUME = {"volumes": [{"name": "v", "secret": {"secretName": "database"}}]}
BOTH = {"secret-use", "external-secret-store"}


def pod(spec: dict[str, Any], **metadata: Any) -> Object:
    return Object({"kind": "Pod", "metadata": {"name": "app", "namespace": "shop", **metadata}, "spec": spec})


def written(kind: str, namespace: str = "shop", **spec: Any) -> Object:
    return Object({"kind": kind, "metadata": {"name": "database", "namespace": namespace}, "spec": spec})


def broken(*items: Object) -> set[str]:
    return {one.rule for one in findings(secret_use.RULES, items)}


@pytest.mark.parametrize(
    "spec",
    [
        VOLUME,
        {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {}}, {"secret": {"name": "database"}}]}}]},
        {"containers": [{"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "database"}}}]}]},
        {"initContainers": [{"envFrom": [{"secretRef": {"name": "database"}}]}]},
        {"ephemeralContainers": [{"envFrom": [{"secretRef": {}}]}]},
    ],
)
def test_every_way_to_a_secret_is_seen(spec: dict[str, Any]) -> None:
    assert broken(pod({"containers": [{"name": "app"}], "volumes": [{"name": "v", "emptyDir": {}}]})) == set()
    assert broken(pod(spec)) == BOTH


def test_the_finding_names_the_secret() -> None:
    (one, _) = findings(secret_use.RULES, [pod(VOLUME)])
    assert (one.path, one.message) == ("spec", "uses the Secret database")


@pytest.mark.parametrize(
    ("writer", "left"),
    [
        (written("Certificate", secretName="database"), set()),
        (written("ExternalSecret"), {"secret-use"}),
        (written("ExternalSecret", target={"name": "database"}), {"secret-use"}),
        (written("VaultStaticSecret", destination={"name": "database"}), {"secret-use"}),
        (written("ExternalSecret", namespace="bank"), BOTH),
        (written("Certificate", secretName="other"), BOTH),
    ],
)
def test_who_keeps_it_counts(writer: Object, left: set[str]) -> None:
    assert broken(pod(VOLUME), writer) == left


def test_a_pod_that_fetches_from_a_store_may_have_a_copy() -> None:
    driver = {"name": "s", "csi": {"driver": "secrets-store.csi.k8s.io"}}
    assert broken(pod({"volumes": [*VOLUME["volumes"], driver]})) == {"secret-use"}
    assert broken(pod(VOLUME, annotations={"vault.hashicorp.com/agent-inject": "true"})) == {"secret-use"}
    assert broken(pod(VOLUME, annotations={"other": "true"})) == BOTH
