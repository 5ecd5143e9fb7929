"""The ConfigMaps of the edge, and the Services that lead to it.

What is in `edge-dynamic` is brought by the agent to where Envoy watches, in an order in which nothing is used before it
is there: callees old and new, then routes and token rules, then the callees that are left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import contracts
from garrison.derive import login as logins
from garrison.derive.edge import bootstrap, clusters, filters, keys, login, names, routes
from garrison.manifest import Manifest, compact, manifest
from garrison.model.graph import Graph
from garrison.words import Ref

Json = dict[str, Any]
NAMED = "contracts.sha256"


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    yield manifest("v1", "ConfigMap", names.PROXY, {"data": bootstrap.config(graph, cluster)}, app=graph.name)
    yield _reloaded(graph, names.DYNAMIC, dynamic(graph, cluster))
    yield _reloaded(graph, names.CONTRACTS, contracts.data(graph))
    yield from logins.config_maps(graph, cluster, login.responses(graph, cluster))
    yield _service(graph, d.EDGE, {"ports": [_port("mtls", d.MTLS_PORT, d.MTLS_PORT)]})
    public: Json = {
        "type": cluster.entrance.service,
        "externalTrafficPolicy": "Local",
    }  # or the client's address is lost
    port = _port("https", 443, d.EDGE_PORT)
    port |= {"nodePort": cluster.entrance.node_port} if cluster.entrance.node_port else {}
    yield _service(graph, names.PUBLIC, {**public, "ports": [port]})


def dynamic(graph: Graph, cluster: Cluster) -> dict[str, str]:
    """The files that Envoy reads again while it runs."""
    found = {
        names.CLUSTERS_FILE: {"resources": clusters.dynamic(graph, cluster)},
        names.KEYS_FILE: {"resources": [keys.configuration(graph, cluster)]},
    }
    for host in graph.hosts:
        found[names.routes_file(host.name)] = {"resources": [routes.of_host(graph, cluster, host.name)]}
        if not host.login:  # else the login agent writes it, who knows the client's id
            rules = login.token_rules(graph, cluster, host.name)
            found[names.tokens_file(host.name)] = filters.discovered(filters.verified(host.name), rules)
    if own := names.login_host(graph):
        found[names.routes_file(own)] = {"resources": [login.pages(graph, cluster)]}
    # by the last one the agent changes routes and contracts together
    made = {file: compact(response) for file, response in found.items()} | {NAMED: contracts.digest(graph)}
    return made | {names.STATE: hashlib.sha256(compact(made).encode()).hexdigest()}


def _reloaded(graph: Graph, ref: Ref, data: dict[str, str]) -> Manifest:
    made = manifest("v1", "ConfigMap", ref, {"data": data}, app=graph.name)
    made["metadata"]["labels"][d.RELOADED] = "true"
    return made


def _port(name: str, port: int, target: int) -> Json:
    return {"name": name, "port": port, "targetPort": target, "protocol": "TCP"}


def _service(graph: Graph, ref: Ref, spec: Json) -> Manifest:
    return manifest("v1", "Service", ref, {"spec": {"selector": {d.NAME: d.EDGE.name}, **spec}}, app=graph.name)
