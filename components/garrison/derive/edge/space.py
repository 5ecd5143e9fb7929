"""The namespace of the edge, its account, and a quota in which exactly one Service opens a way in from outside."""

from __future__ import annotations

from collections.abc import Iterator

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import namespace
from garrison.derive.edge import counting
from garrison.manifest import Manifest, manifest
from garrison.model.graph import Graph


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    yield namespace.space(graph, d.EDGE.namespace)
    limiters = 1 if counting.on(cluster) else 0
    balanced = cluster.entrance.service == "LoadBalancer"  # which opens a port of the nodes, too
    pods = cluster.entrance.replicas + limiters
    yield namespace.quota(graph, d.EDGE.namespace, pods, node_ports=1, balancers=1 if balanced else 0)
    yield manifest("v1", "ServiceAccount", d.EDGE, {"automountServiceAccountToken": False}, app=graph.name)
