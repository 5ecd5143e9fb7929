"""The objects around the gateway: its namespace, account, identity, network and pods; hardened as every service is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import mesh, namespace
from garrison.derive import network as rules
from garrison.derive.egress import bootstrap
from garrison.derive.egress.names import CONFIG, callers, used
from garrison.derive.egress.ranges import blocks
from garrison.derive.identity import certificate
from garrison.derive.names import DEFAULT_DENY, secret_name
from garrison.derive.workload import budget, deployment, proxy, proxy_probes, proxy_volumes, spread
from garrison.manifest import Manifest, labels, manifest, pod, selector
from garrison.model.graph import Graph
from garrison.words import Ref

Json = dict[str, Any]
SPACE = d.EGRESS.namespace


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    yield namespace.space(graph, SPACE)
    yield namespace.quota(graph, SPACE, cluster.egress.replicas)
    yield manifest("v1", "ServiceAccount", d.EGRESS, {"automountServiceAccountToken": False}, app=graph.name)
    yield rules.policy(graph, Ref(SPACE, DEFAULT_DENY), {"podSelector": {}})
    yield _network(graph, cluster)
    uris = {"uris": [graph.spiffe_id(d.EGRESS)]}
    usages = ["digital signature", "client auth", "server auth"]
    yield certificate(graph, cluster.authority, d.EGRESS, uris, usages, secret_name(d.EGRESS))
    yield manifest("v1", "ConfigMap", CONFIG, {"data": bootstrap.config(graph, cluster)}, app=graph.name)
    yield mesh.entrance(graph, d.EGRESS)
    yield manifest("policy/v1", "PodDisruptionBudget", d.EGRESS, {"spec": budget(d.EGRESS)}, app=graph.name)
    spec = deployment(d.EGRESS, cluster.egress.replicas, labels(d.EGRESS.name, graph.name), _pod(graph))
    yield manifest("apps/v1", "Deployment", d.EGRESS, {"spec": spec}, app=graph.name)


def _network(graph: Graph, cluster: Cluster) -> Manifest:
    """In from who goes out; out to the internet at the declared ports, and to nothing that is not the internet."""
    outside = [{"port": port, "protocol": "TCP"} for port in sorted({one.port for one in used(graph)})]
    spec = {
        "podSelector": selector(d.EGRESS.name),
        "ingress": rules.from_pods(callers(graph), d.MTLS_PORT),
        "egress": [rules.to_dns(cluster.dns), {"to": blocks(cluster), "ports": outside}],
    }
    return rules.policy(graph, d.EGRESS, spec)


def _pod(graph: Graph) -> Json:
    container = proxy(graph, d.EGRESS_PROXY_RESOURCES)
    withdrawn = {"preStop": {"sleep": {"seconds": d.DRAIN_SECONDS}}}  # endpoints are, meanwhile
    return pod(
        d.EGRESS.name,
        topologySpreadConstraints=[spread(d.EGRESS)],
        containers=[container | proxy_probes() | {"lifecycle": withdrawn}],
        volumes=proxy_volumes(d.EGRESS),
    )
