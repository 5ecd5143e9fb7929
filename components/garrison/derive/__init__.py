"""Every layer of protection as a pure function of the graph, composed in one list."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from garrison.cluster import Cluster
from garrison.collecting import uncollected
from garrison.derive import database, edge, egress, identity, jobs, mesh, namespace, network, rbac, secrets, workload
from garrison.derive.bounds import bounded
from garrison.derive.rolling import rolled
from garrison.manifest import Manifest
from garrison.model.graph import Graph

Layer = Callable[[Graph, Cluster], Iterator[Manifest]]


def on_any(layer: Callable[[Graph], Iterator[Manifest]]) -> Layer:
    """A layer that is the same on every cluster."""
    return lambda graph, _cluster: layer(graph)


LAYERS: tuple[Layer, ...] = (
    on_any(namespace.manifests),
    network.manifests,
    on_any(rbac.manifests),
    identity.manifests,
    mesh.manifests,
    secrets.manifests,
    database.manifests,
    workload.manifests,
    jobs.manifests,
    edge.manifests,
    egress.manifests,
)


@uncollected
def render(graph: Graph, cluster: Cluster | None = None) -> list[Manifest]:
    """All Kubernetes objects of a graph on a cluster, in an order in which they can be applied; same values, same list.

    Without a cluster the objects are those of one on which Garrison installs the platform.
    """
    there = cluster or Cluster()
    return rolled(bounded([item for layer in LAYERS for item in layer(graph, there)]))
