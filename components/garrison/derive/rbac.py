"""Kubernetes RBAC layer: one service account per workload that may do nothing at the API server.

No Role is ever generated, and no token is mounted: a workload that needs the secret store gets a projected token for
that audience only, which the API server itself refuses (CIS 5.1.5, 5.1.6).
"""

from __future__ import annotations

from collections.abc import Iterator

from garrison.graph import Graph, Ref
from garrison.manifest import Manifest, manifest


def manifests(graph: Graph) -> Iterator[Manifest]:
    for service in graph.services:
        yield _account(graph, service.ref)
    for database in graph.databases:
        yield _account(graph, database.ref)


def _account(graph: Graph, ref: Ref) -> Manifest:
    return manifest("v1", "ServiceAccount", ref, {"automountServiceAccountToken": False}, app=graph.name)
