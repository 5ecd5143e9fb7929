"""Mesh layer: the Envoy configuration of each service's sidecar, and the Service object that leads to it.

Inbound, the sidecar demands a client certificate of the trust domain over TLS 1.3 and lets pass only the declared
(caller, method, path), with the token that a route or a forwarded call needs. Outbound, one loopback listener per
declared callee checks that the callee is who it should be. Of TCP the handshake alone decides who may connect.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import partial
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.mesh import envoy, inbound, limits, outbound
from garrison.derive.mesh.access import KEYS, authorisation, path_pattern, rule_name
from garrison.derive.mesh.inbound import ALIVE, PROXY_ALONE, READY
from garrison.derive.mesh.outbound import alias_addresses, outbound_ports
from garrison.derive.tokens import at_service
from garrison.manifest import Manifest, compact, keyed, listed, manifest
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
Known = dict[Hashable, str]


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    known: Known = {}
    for service in graph.workloads:
        data = config(graph, cluster, service, known)
        yield manifest("v1", "ConfigMap", config_ref(service.ref), {"data": data}, app=graph.name)
        if service.port or service.ref in graph.ports_of:
            yield entrance(graph, service.ref)


def entrance(graph: Graph, ref: Ref) -> Manifest:
    """The Service object that leads callers to a proxy."""
    port = {"name": "mtls", "port": d.MTLS_PORT, "targetPort": d.MTLS_PORT, "protocol": "TCP"}
    return manifest("v1", "Service", ref, {"spec": {"selector": {d.NAME: ref.name}, "ports": [port]}}, app=graph.name)


def config_ref(ref: Ref) -> Ref:
    return Ref(ref.namespace, proxy_config(ref))


def config(graph: Graph, cluster: Cluster, service: Service, known: Known | None = None) -> dict[str, str]:
    """The files of the sidecar: its bootstrap, and the two secrets it watches. `known` keeps what sidecars of one
    graph have in common.
    """
    known = {} if known is None else known
    return {"envoy.json": _bootstrap(graph, cluster, service, known), **envoy.secret_files()}


def _bootstrap(graph: Graph, cluster: Cluster, service: Service, known: Known) -> str:
    """Written piece by piece: to write JSON is most of the work, and half of the pieces are those of others, too."""
    ports = outbound_ports(graph, service.ref)
    calls = sorted(graph.calls_from.get(service.ref, ()), key=lambda call: call.target)
    inward = inbound.listener(graph, cluster, service)
    listeners = [compact(inward)] if inward else []
    listeners.append(_once(known, ("health", *inbound.questions(service)), lambda: inbound.health(service)))
    listeners += [compact(outbound.listener(graph, call, ports[call.target])) for call in calls]
    clusters = [compact(one) for one in inbound.applications(graph, service)]
    clusters += [_once(known, (call.target, call.connects), partial(outbound.of_call, graph, call)) for call in calls]
    if at_service(graph, cluster, service.ref):
        clusters.append(_once(known, KEYS, lambda: outbound.cluster(graph, d.EDGE, KEYS)))
    return keyed(
        node=compact({"id": str(service.ref), "cluster": graph.name}),
        static_resources=keyed(listeners=listed(listeners), clusters=listed(clusters)),
        overload_manager=_once(known, "limits", limits.overload_manager),
        layered_runtime=_once(known, "runtime", limits.runtime),
    )


def _once(known: Known, what: Hashable, make: Callable[[], Json]) -> str:
    """The JSON of what is the same for every sidecar that has it."""
    if what not in known:
        known[what] = compact(make())
    return known[what]
