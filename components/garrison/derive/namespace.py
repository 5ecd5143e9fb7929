"""Namespace layer: Pod Security labels and a quota that fits what is declared, with room for a roll-out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from garrison import defaults as d
from garrison.manifest import Manifest, labels, manifest
from garrison.model.graph import Graph
from garrison.words import Ref


def manifests(graph: Graph) -> Iterator[Manifest]:
    others = Counter(ref.namespace for ref in (*graph.job_by_ref, *(database.ref for database in graph.databases)))
    for namespace in graph.namespaces:
        yield space(graph, namespace)
        yield quota(graph, namespace, sum(s.replicas for s in graph.services_in(namespace)) + others[namespace])


def space(graph: Graph, namespace: str) -> Manifest:
    """The namespace itself, hardened."""
    metadata = {"name": namespace, "labels": labels(namespace, graph.name) | d.namespace_labels()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def quota(graph: Graph, namespace: str, pods: int, *, node_ports: int = 0, balancers: int = 0) -> Manifest:
    """Bounds the number of pods, nothing else of what they take; no Service may open a way in from outside, but for
    those of the edge.
    """
    most = d.QUOTA_HEADROOM * (pods + 1)
    hard = {
        "pods": str(most),
        "services.nodeports": str(node_ports),
        "services.loadbalancers": str(balancers),
    }
    return manifest("v1", "ResourceQuota", Ref(namespace, "quota"), {"spec": {"hard": hard}}, app=graph.name)
