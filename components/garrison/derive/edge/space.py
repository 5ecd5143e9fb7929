"""The namespace of the edge, its account, and a quota in which exactly one Service opens a way in from outside."""

from __future__ import annotations

from collections.abc import Iterator

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.edge import counting
from garrison.manifest import Manifest, labels, manifest
from garrison.model.graph import Graph
from garrison.words import Ref


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    space = d.EDGE.namespace
    metadata = {"name": space, "labels": labels(space, graph.name) | d.namespace_labels()}
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    limiters = 1 if counting.on(cluster) else 0
    pods = d.QUOTA_HEADROOM * (cluster.entrance.replicas + limiters + 1)
    balanced = cluster.entrance.service == "LoadBalancer"  # which opens a port of the nodes, too
    hard = {"pods": str(pods), "services.nodeports": "1", "services.loadbalancers": "1" if balanced else "0"}
    yield manifest("v1", "ResourceQuota", Ref(space, "quota"), {"spec": {"hard": hard}}, app=graph.name)
    yield manifest("v1", "ServiceAccount", d.EDGE, {"automountServiceAccountToken": False}, app=graph.name)
