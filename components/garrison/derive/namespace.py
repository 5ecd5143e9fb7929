"""Namespace layer: Pod Security labels and a quota that fits what is declared, with room for a roll-out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.manifest import Manifest, labels, manifest
from garrison.model.graph import Graph
from garrison.words import Ref


def manifests(graph: Graph) -> Iterator[Manifest]:
    others = Counter(ref.namespace for ref in (*graph.job_by_ref, *(database.ref for database in graph.databases)))
    for namespace in graph.namespaces:
        yield {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": labels(namespace, graph.name) | d.namespace_labels()},
        }
        yield _quota(graph, namespace, others[namespace])


def _quota(graph: Graph, namespace: str, others: int) -> Manifest:
    """Bounds the number of pods, nothing else of what they take; no Service may open a way in from outside."""
    pods = d.QUOTA_HEADROOM * (sum(s.replicas for s in graph.services_in(namespace)) + others + 1)
    hard: dict[str, Any] = {"pods": str(pods), "services.nodeports": "0", "services.loadbalancers": "0"}
    return manifest("v1", "ResourceQuota", Ref(namespace, "quota"), {"spec": {"hard": hard}}, app=graph.name)
