"""The configuration of the gateway's Envoy."""

from __future__ import annotations

from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.egress import chains, upstreams
from garrison.derive.egress.names import LISTENER
from garrison.derive.mesh import envoy, inbound, limits
from garrison.manifest import compact
from garrison.model.graph import Graph

Json = dict[str, Any]


def config(graph: Graph, cluster: Cluster) -> dict[str, str]:
    """The files of the gateway: its bootstrap, and the two secrets it watches."""
    return {"envoy.json": compact(_bootstrap(graph, cluster)), **envoy.secret_files()}


def _bootstrap(graph: Graph, cluster: Cluster) -> Json:
    within = envoy.typed("extensions.bootstrap.internal_listener.v3.InternalListener")
    return {
        "node": {"id": str(d.EGRESS), "cluster": graph.name},
        "bootstrap_extensions": [{"name": "envoy.bootstrap.internal_listener", "typed_config": within}],
        "static_resources": {
            "listeners": [*chains.listeners(graph, cluster), inbound.health_listener()],
            "clusters": upstreams.clusters(graph, cluster),
        },
        "overload_manager": limits.overload_manager(d.EGRESS_MAX_CONNECTIONS, d.EGRESS_HEAP),
        "layered_runtime": limits.runtime(LISTENER, d.EGRESS_CONNECTIONS),
    }
