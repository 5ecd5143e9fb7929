"""The network of the edge: in from anywhere at one port, and from sidecars that ask for keys; out to what it serves."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import login as logins
from garrison.derive import network as rules
from garrison.derive.edge import clusters, counting, keys
from garrison.manifest import Manifest, selector
from garrison.model.graph import Graph
from garrison.words import Ref

Json = dict[str, Any]
PUBLIC: Final = ("0.0.0.0/0", "::/0")
CLOSED: Final = (*d.API_SERVER_RANGES, "169.254.0.0/16", "127.0.0.0/8", "fe80::/10")


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    yield rules.policy(graph, Ref(d.EDGE.namespace, "default-deny"), {"podSelector": {}})
    ingress = [_port(d.EDGE_PORT), *rules.from_pods(keys.readers(graph, cluster), d.MTLS_PORT)]
    egress = [rules.to_dns(cluster.dns), *rules.to_pods(sorted(graph.routes_of), d.MTLS_PORT)]
    egress += rules.to_pods([d.USERS], d.STORE_PORT) if graph.embedded_issuer else []
    egress += [rules.to_store(cluster.store)] if logins.STORE in logins.keepers(graph) else []
    ranges = cluster.entrance.issuer_ranges
    for port, public in clusters.ports(graph, cluster).items():
        egress.append(_issuers([*ranges, *(PUBLIC if public or not ranges else ())], port))
    egress += rules.to_pods([d.LIMITS], d.MTLS_PORT) if counting.on(cluster) else []
    spec = {"podSelector": selector(d.EDGE.name), "ingress": ingress, "egress": egress}
    yield rules.policy(graph, d.EDGE, spec)


def _port(port: int) -> Json:
    """From anywhere: that is what an edge is for."""
    return {"ports": [{"port": port, "protocol": "TCP"}]}


def _issuers(ranges: Iterable[str], port: int) -> Json:
    """To issuers that are not ours."""
    return {"to": [_block(cidr) for cidr in ranges], "ports": [{"port": port, "protocol": "TCP"}]}


def _block(cidr: str) -> Json:
    """Of all addresses, none that is private, where the estate is, or of one link, where clouds keep credentials."""
    version = ipaddress.ip_network(cidr).version
    closed = [one for one in CLOSED if ipaddress.ip_network(one).version == version] if cidr in PUBLIC else []
    return {"ipBlock": {"cidr": cidr, **({"except": closed} if closed else {})}}
