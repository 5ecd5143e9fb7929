"""Mesh layer: the Envoy configuration of each service's sidecar, and the Service object that leads to it.

Inbound, the sidecar demands a client certificate of the trust domain over TLS 1.3 and lets pass only the declared
(caller, method, path), with the token that a route or a forwarded call needs. Outbound, one loopback listener per
declared callee checks that the callee is who it should be. Of TCP the handshake alone decides who may connect.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.mesh import envoy, inbound, limits, outbound
from garrison.derive.mesh.access import KEYS, authorisation, path_pattern, rule_name
from garrison.derive.mesh.inbound import ALIVE, PROXY_ALONE, READY
from garrison.derive.mesh.outbound import alias_addresses, outbound_ports
from garrison.derive.tokens import at_service
from garrison.manifest import Manifest, compact, manifest
from garrison.model.graph import Graph, Service
from garrison.model.names import proxy_config
from garrison.words import Ref

__all__ = [
    "ALIVE",
    "PROXY_ALONE",
    "READY",
    "alias_addresses",
    "authorisation",
    "config",
    "config_ref",
    "entrance",
    "manifests",
    "outbound_ports",
    "path_pattern",
    "rule_name",
]
Json = dict[str, Any]


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    for service in graph.workloads:
        yield manifest(
            "v1", "ConfigMap", config_ref(service.ref), {"data": config(graph, cluster, service)}, app=graph.name
        )
        if service.port or service.ref in graph.ports_of:
            yield entrance(graph, service.ref)


def entrance(graph: Graph, ref: Ref) -> Manifest:
    """The Service object that leads callers to a proxy."""
    port = {"name": "mtls", "port": d.MTLS_PORT, "targetPort": d.MTLS_PORT, "protocol": "TCP"}
    return manifest("v1", "Service", ref, {"spec": {"selector": {d.NAME: ref.name}, "ports": [port]}}, app=graph.name)


def config_ref(ref: Ref) -> Ref:
    return Ref(ref.namespace, proxy_config(ref))


def config(graph: Graph, cluster: Cluster, service: Service) -> dict[str, str]:
    """The files of the sidecar: its bootstrap, and the two secrets it watches."""
    return {
        "envoy.json": compact(_bootstrap(graph, cluster, service)),
        **envoy.secret_files(),
    }


def _bootstrap(graph: Graph, cluster: Cluster, service: Service) -> Json:
    ports = outbound_ports(graph, service.ref)
    calls = sorted(graph.calls_from.get(service.ref, ()), key=lambda call: call.target)
    inward = inbound.listener(graph, cluster, service)
    listeners = [*([inward] if inward else []), inbound.health(service)]
    listeners += [outbound.listener(graph, call, ports[call.target]) for call in calls]
    clusters = [*inbound.applications(graph, service), *(outbound.of_call(graph, call) for call in calls)]
    if at_service(graph, cluster, service.ref):
        clusters.append(outbound.cluster(graph, d.EDGE, KEYS))
    return {
        "node": {"id": str(service.ref), "cluster": graph.name},
        "static_resources": {"listeners": listeners, "clusters": clusters},
        "overload_manager": limits.overload_manager(),
        "layered_runtime": limits.runtime(),
    }
