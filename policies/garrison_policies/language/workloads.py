"""What runs pods, seen together with other objects: its labels, its namespace, how many replicas it has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from garrison_policies.language.expr import MISSING, get
from garrison_policies.language.objects import TEMPLATES, Inventory, Object
from garrison_policies.language.selectors import Labelled

Json = Mapping[str, Any]
# Kinds that keep a number of replicas; DaemonSets follow the nodes and Jobs end.
SCALED = ("Deployment", "StatefulSet", "DeploymentConfig", "Rollout", "ReplicaSet", "ReplicationController")
CLUSTER_NAMESPACE = "default"


def namespace(item: Object) -> str:
    """Where it ends up: kubectl's own default where none is written."""
    return item.namespace or CLUSTER_NAMESPACE


def pod_labels(item: Object) -> Json | None:
    """The labels its pods carry; None for what runs no pods.

    A template may be incomplete in a file somebody is still writing: then the labels the workload selects its pods by
    are those its pods must carry.
    """
    path = TEMPLATES.get(item.known_as)
    template = item.template if path is None else get(item.body, path)
    if not isinstance(template, Mapping) or not ({"metadata", "spec"} & set(template)):
        labels = get(item.body, "spec.selector.matchLabels") if item.known_as in SCALED else MISSING
        return labels if isinstance(labels, Mapping) else None
    if item.known_as not in (*SCALED, *TEMPLATES) and item.template_path is None:
        return None
    labels = get(template, "metadata.labels")
    return labels if isinstance(labels, Mapping) else {}


def running(inventory: Inventory) -> Iterator[tuple[Object, Json]]:
    """Everything that runs pods, with their labels. What another object of the inventory made is judged there."""
    known = _known(inventory)
    for item in inventory.objects:
        labels = pod_labels(item)
        if labels is not None and not _made_by(item, known):
            yield item, labels


def scalable(inventory: Inventory) -> Iterator[Object]:
    """Everything of which somebody decides how many there are."""
    known = _known(inventory)
    return (item for item in inventory.of(*SCALED) if not _made_by(item, known))


def _known(inventory: Inventory) -> set[tuple[str, str, str]]:
    return {(item.kind, namespace(item), item.name) for item in inventory.objects}


def _made_by(item: Object, known: set[tuple[str, str, str]]) -> bool:
    owners = item.metadata.get("ownerReferences")
    return any(
        isinstance(owner, Mapping) and (owner.get("kind"), namespace(item), owner.get("name")) in known
        for owner in (owners if isinstance(owners, list) else ())
    )


def pods_by_label(inventory: Inventory) -> Labelled[Object]:
    """Everything that runs pods, to be found by selector."""
    return Labelled((namespace(item), labels, item) for item, labels in running(inventory))


def autoscalers(inventory: Inventory) -> dict[tuple[str, str, str], int]:
    """The fewest replicas each scaled workload is left with, by namespace, kind and name."""
    found = {}
    for item in inventory.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = get(item.body, "spec.scaleTargetRef")
        if isinstance(target, Mapping):
            key = namespace(item), str(target.get("kind", "Deployment")), str(target.get("name", ""))
            found[key] = fewest(item)
    return found


def fewest(autoscaler: Object) -> int:
    """The least an autoscaler keeps: Kubernetes' default is 1, KEDA's is 0."""
    keda = autoscaler.kind == "ScaledObject"
    low = get(autoscaler.body, "spec.minReplicaCount" if keda else "spec.minReplicas")
    return low if isinstance(low, int) else 1 - keda


def replicas(item: Object, scaled: Mapping[tuple[str, str, str], int]) -> int | None:
    """How many replicas it has at the least; None where nothing says so, which Kubernetes takes as one."""
    key = namespace(item), item.kind, item.name
    found = scaled.get(key, get(item.body, "spec.replicas"))
    return int(found) if isinstance(found, int | float) and math.isfinite(found) else None
