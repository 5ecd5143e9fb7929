"""The objects around the gateway: its namespace, account, identity, network and pods; hardened as every service is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import network as rules
from garrison.derive.egress import bootstrap
from garrison.derive.egress.names import CONFIG, callers, used
from garrison.derive.egress.ranges import blocks
from garrison.derive.identity import certificate
from garrison.derive.names import DEFAULT_DENY, secret_name
from garrison.derive.workload import budget, deployment, healthy, proxy, proxy_volumes, spread
from garrison.manifest import Manifest, labels, manifest, pod, selector
from garrison.model.graph import Graph
from garrison.words import Ref

Json = dict[str, Any]
SPACE = d.EGRESS.namespace


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    metadata = {"name": SPACE, "labels": labels(SPACE, graph.name) | d.namespace_labels()}
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    pods = d.QUOTA_HEADROOM * (cluster.egress.replicas + 1)
    hard = {"pods": str(pods), "services.nodeports": "0", "services.loadbalancers": "0"}
    yield manifest("v1", "ResourceQuota", Ref(SPACE, "quota"), {"spec": {"hard": hard}}, app=graph.name)
    yield manifest("v1", "ServiceAccount", d.EGRESS, {"automountServiceAccountToken": False}, app=graph.name)
    yield rules.policy(graph, Ref(SPACE, DEFAULT_DENY), {"podSelector": {}})
    yield _network(graph, cluster)
    uris = {"uris": [graph.spiffe_id(d.EGRESS)]}
    usages = ["digital signature", "client auth", "server auth"]
    yield certificate(graph, cluster.issuer, d.EGRESS, uris, usages, secret_name(d.EGRESS))
    yield manifest("v1", "ConfigMap", CONFIG, {"data": bootstrap.config(graph, cluster)}, app=graph.name)
    port = {"name": "mtls", "port": d.MTLS_PORT, "targetPort": d.MTLS_PORT, "protocol": "TCP"}
    service = {"selector": {d.NAME: d.EGRESS.name}, "ports": [port]}
    yield manifest("v1", "Service", d.EGRESS, {"spec": service}, app=graph.name)
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
    probes = {
        "startupProbe": healthy("/proxy", periodSeconds=1, failureThreshold=60),
        "readinessProbe": healthy("/proxy", periodSeconds=5),
        "livenessProbe": healthy("/proxy", periodSeconds=15, failureThreshold=4),
        "lifecycle": {"preStop": {"sleep": {"seconds": d.DRAIN_SECONDS}}},  # endpoints are withdrawn meanwhile
    }
    return pod(
        d.EGRESS.name,
        topologySpreadConstraints=[spread(d.EGRESS)],
        containers=[container | probes],
        volumes=proxy_volumes(d.EGRESS),
    )
