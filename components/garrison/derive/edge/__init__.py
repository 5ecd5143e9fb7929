"""The edge: the one way in, derived where the graph has hosts.

Pods of Envoy in a namespace of their own. Each host has a filter chain to itself, chosen by the server name of TLS,
with its own certificate, connection manager and filters; nothing is shared between hosts. What changes often (routes,
callees, token rules) is read from files while the pods run; what is in the bootstrap rolls them.

    bootstrap   the listeners, and what never changes while a pod lives
    hosts       one host's filter chain
    filters     the filters of a host, in their order
    routes      what is served at a host, each route with its own decision
    login       the embedded issuer's own pages, and a browser's session
    limits      how often, counted in each pod
    counting    how often, counted once for all pods where the cluster says so
    limiter     the pod that counts
    answers     what a refused request is told, and what is logged
    clusters    the callees
    keys        the key sets of the issuers, for the sidecars that verify tokens
    files       what the agent brings to where Envoy watches
    workload, network, certificates, space    the objects around it
"""

from __future__ import annotations

from collections.abc import Iterator

from garrison.cluster import Cluster
from garrison.derive.edge import certificates, files, limiter, network, space, workload
from garrison.manifest import Manifest
from garrison.model.graph import Graph

__all__ = ["manifests"]


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    if graph.hosts:
        for part in (space, network, certificates, files, limiter, workload):
            yield from part.manifests(graph, cluster)
