"""Every layer of protection as a pure function of the graph, composed in one list."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from garrison.derive import database, identity, mesh, namespace, network, rbac, secrets, workload
from garrison.manifest import Manifest
from garrison.model.graph import Graph

Layer = Callable[[Graph], Iterator[Manifest]]

LAYERS: tuple[Layer, ...] = (
    namespace.manifests,
    network.manifests,
    rbac.manifests,
    identity.manifests,
    mesh.manifests,
    secrets.manifests,
    database.manifests,
    workload.manifests,
)


def render(graph: Graph) -> list[Manifest]:
    """All Kubernetes objects of a graph, in an order in which they can be applied; same graph, same list."""
    return [item for layer in LAYERS for item in layer(graph)]
