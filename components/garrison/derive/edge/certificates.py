"""The certificates of the edge: its identity among the services, and one for each host, with that name alone."""

from __future__ import annotations

from collections.abc import Iterator

from garrison import defaults as d
from garrison.cluster import Cluster, Issuer
from garrison.derive.edge.names import certificate_secret, host_names
from garrison.derive.identity import certificate
from garrison.derive.names import label_of, secret_name
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.words import Ref


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    both = ["digital signature", "client auth", "server auth"]
    uris = {"uris": [graph.spiffe_id(d.EDGE)]}
    yield certificate(graph, cluster.authority, d.EDGE, uris, both, secret_name(d.EDGE))
    issuer = Issuer.of(cluster.entrance.issuer or cluster.issuer)
    for host in host_names(graph):
        ref = Ref(d.EDGE.namespace, f"{label_of(host)}-host")
        yield certificate(graph, issuer, ref, {"dnsNames": [host]}, both[::2], certificate_secret(host))
