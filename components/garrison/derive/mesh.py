"""Mesh layer: the Envoy configuration of each service's sidecar, and the Service object that leads to it.

Inbound, the sidecar demands a client certificate of the trust domain over TLS 1.3 and lets pass only the declared
(caller, method, path). Outbound, one loopback listener per declared callee checks that the callee is who it should be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.derive import envoy
from garrison.manifest import Manifest, compact, manifest
from garrison.model.graph import Call, Graph, Operation, Service
from garrison.words import Ref

Json = dict[str, Any]


def manifests(graph: Graph) -> Iterator[Manifest]:
    for service in graph.services:
        yield manifest("v1", "ConfigMap", config_ref(service.ref), {"data": config(graph, service)}, app=graph.name)
        ports = [{"name": "mtls", "port": d.MTLS_PORT, "targetPort": d.MTLS_PORT, "protocol": "TCP"}]
        spec = {"selector": {d.NAME: service.name}, "ports": ports}
        yield manifest("v1", "Service", service.ref, {"spec": spec}, app=graph.name)


def config_ref(ref: Ref) -> Ref:
    return Ref(ref.namespace, f"{ref.name}-proxy")


def outbound_ports(graph: Graph, ref: Ref) -> dict[Ref, int]:
    """The loopback port of each callee; sorted, so that the same graph gives the same ports."""
    callees = sorted(call.callee for call in graph.calls_from.get(ref, ()))
    return {callee: d.OUTBOUND_PORT + index for index, callee in enumerate(callees)}


def config(graph: Graph, service: Service) -> dict[str, str]:
    """The files of the sidecar: its bootstrap, and the two secrets it watches."""
    return {
        "envoy.json": compact(_bootstrap(graph, service)),
        "identity.json": compact({"resources": [_secret(envoy.tls_certificate())]}),
        "trust.json": compact({"resources": [_secret(envoy.trust_bundle())]}),
    }


def _secret(body: Json) -> Json:
    return envoy.typed("extensions.transport_sockets.tls.v3.Secret", **body)


def _bootstrap(graph: Graph, service: Service) -> Json:
    outbound = outbound_ports(graph, service.ref)
    listeners = [_inbound(graph, service), _health()]
    listeners += [_outbound(graph, service.ref, callee, port) for callee, port in outbound.items()]
    clusters = [envoy.cluster("app", "127.0.0.1", service.port, dns=False)]
    clusters += [_callee(graph, callee) for callee in outbound]
    limit = envoy.typed(
        "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
        max_active_downstream_connections=d.MAX_CONNECTIONS,
    )
    monitor = {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": limit}
    return {
        "node": {"id": str(service.ref), "cluster": graph.name},
        "static_resources": {"listeners": listeners, "clusters": clusters},
        "overload_manager": {"resource_monitors": [monitor]},
    }


# --- inbound ---------------------------------------------------------------------------------------------------------


def _inbound(graph: Graph, service: Service) -> Json:
    manager = envoy.connection_manager(
        "inbound",
        [envoy.forward("app")],
        filters=(authorisation(graph, service.ref),),
        use_remote_address=True,
        forward_client_cert_details="SANITIZE_SET",
        set_current_client_cert_details={"uri": True},
        access_log=envoy.access_log("inbound", peer="%DOWNSTREAM_PEER_URI_SAN%", self="%DOWNSTREAM_LOCAL_URI_SAN%"),
    )
    peer = {"prefix": f"spiffe://{graph.trust_domain}/"}
    tls = envoy.transport_socket(
        "DownstreamTlsContext", require_client_certificate=True, common_tls_context=envoy.tls_context(peer)
    )
    return envoy.listener("inbound", envoy.address("0.0.0.0", d.MTLS_PORT), manager, tls)


def authorisation(graph: Graph, callee: Ref) -> Json:
    """Envoy's RBAC filter: one policy per caller; with no caller it has no policy and refuses everyone."""
    policies = {str(call.caller): _policy(graph, call) for call in graph.calls_to.get(callee, ())}
    rules = {"action": "ALLOW", "policies": policies}
    return {
        "name": "envoy.filters.http.rbac",
        "typed_config": envoy.typed("extensions.filters.http.rbac.v3.RBAC", rules=rules),
    }


def _policy(graph: Graph, call: Call) -> Json:
    caller = {"authenticated": {"principal_name": {"exact": graph.spiffe_id(call.caller)}}}
    return {"permissions": [_permission(operation) for operation in call.operations], "principals": [caller]}


def _permission(operation: Operation) -> Json:
    method = {"header": {"name": ":method", "string_match": {"exact": operation.method}}}
    path = {"url_path": {"path": {"safe_regex": {"regex": path_pattern(operation.path)}}}}
    return {"and_rules": {"rules": [method, path]}}


def path_pattern(template: str) -> str:
    """The RE2 pattern of a path template: each `{name}` stands for one non-empty segment."""
    parts = re.split(r"\{[^}]*\}", template)
    return "[^/]+".join(re.escape(part) for part in parts)


def _health() -> Json:
    """What the kubelet asks, and nothing else: the proxy itself, and the application behind it."""
    alive = {"match": {"path": "/proxy"}, "direct_response": {"status": 200}}
    manager = envoy.connection_manager("health", [alive, envoy.forward("app", match={"path": "/healthz"})])
    return envoy.listener("health", envoy.address("0.0.0.0", d.HEALTH_PORT), manager)


# --- outbound --------------------------------------------------------------------------------------------------------


def _outbound(graph: Graph, caller: Ref, callee: Ref, port: int) -> Json:
    retry = {"retry_on": "connect-failure", "num_retries": 3}  # nothing was sent yet, so any method may be tried again
    manager = envoy.connection_manager(
        str(callee),
        [envoy.forward(str(callee), retry_policy=retry, host_rewrite_literal=f"{callee.name}.{callee.namespace}")],
        access_log=envoy.access_log("outbound", peer=graph.spiffe_id(callee), self=graph.spiffe_id(caller)),
    )
    return envoy.listener(str(callee), envoy.address("127.0.0.1", port), manager)


def _callee(graph: Graph, callee: Ref) -> Json:
    host = f"{callee.name}.{callee.namespace}.{d.CLUSTER_DOMAIN}"
    tls = envoy.transport_socket(
        "UpstreamTlsContext", sni=host, common_tls_context=envoy.tls_context({"exact": graph.spiffe_id(callee)})
    )
    return envoy.cluster(str(callee), host, d.MTLS_PORT, dns=True, transport=tls)
