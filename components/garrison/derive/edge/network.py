"""The network of the edge: in from anywhere at one port, and from sidecars that ask for keys; out to what it serves."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import network as rules
from garrison.derive.edge import clusters, counting, keys
from garrison.manifest import Manifest, selector
from garrison.model.graph import Graph
from garrison.words import Ref

Json = dict[str, Any]


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    yield rules.policy(graph, Ref(d.EDGE.namespace, "default-deny"), {"podSelector": {}})
    ingress = [_port(d.EDGE_PORT), *rules.from_pods(keys.readers(graph, cluster), d.MTLS_PORT)]
    egress = [rules.to_dns(cluster.dns), *rules.to_pods(sorted(graph.routes_of), d.MTLS_PORT)]
    egress += rules.to_pods([d.USERS], d.STORE_PORT) if graph.embedded_issuer else []
    egress += rules.to_pods([d.LIMITS], d.MTLS_PORT) if counting.on(cluster) else []
    others = sorted({clusters.place(authority)[1] for authority in clusters.other_issuers(graph, cluster)})
    egress += [_internet(port) for port in others]
    spec = {"podSelector": selector(d.EDGE.name), "ingress": ingress, "egress": egress}
    yield rules.policy(graph, d.EDGE, spec)


def _port(port: int) -> Json:
    """From anywhere: that is what an edge is for."""
    return {"ports": [{"port": port, "protocol": "TCP"}]}


def _internet(port: int) -> Json:
    """To issuers that are not ours, whose addresses nobody can name: never to a private one, where the estate is."""
    private = {
        version: [cidr for cidr in d.API_SERVER_RANGES if ipaddress.ip_network(cidr).version == version]
        for version in (4, 6)
    }
    everywhere = {4: "0.0.0.0/0", 6: "::/0"}
    also = {4: ["169.254.0.0/16", "127.0.0.0/8"], 6: ["fe80::/10"]}  # where clouds keep credentials, among others
    blocks = [{"ipBlock": {"cidr": everywhere[v], "except": [*private[v], *also[v]]}} for v in (4, 6)]
    return {"to": blocks, "ports": [{"port": port, "protocol": "TCP"}]}
