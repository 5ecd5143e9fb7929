"""The egress gateway: the one way out, derived where some service uses a host outside.

Pods of Envoy in a namespace of their own, with an identity of their own. A caller's sidecar leads to it in mutual TLS
and says by the server name which host is meant; each host has a filter chain for exactly its callers.

    names       who goes out, and where to
    chains      how callers come in: operations checked, or applications' own TLS looked into
    upstreams   the hosts: certificates, and addresses
    ranges      which addresses may be outside
    bootstrap   the whole configuration
    objects     the objects around it
"""

from __future__ import annotations

from collections.abc import Iterator

from garrison.cluster import Cluster
from garrison.derive.egress import objects
from garrison.manifest import Manifest
from garrison.model.graph import Graph

__all__ = ["manifests"]


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    if graph.leaves:
        yield from objects.manifests(graph, cluster)
