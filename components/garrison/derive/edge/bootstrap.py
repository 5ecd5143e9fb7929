"""The bootstrap of the edge's Envoy: what does not change while a pod lives. A change of it rolls the pods."""

from __future__ import annotations

from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import contract_filter
from garrison.derive import login as logins
from garrison.derive.edge import counting, hosts, keys
from garrison.derive.edge.names import CLUSTERS_FILE, INTROSPECTION, host_names
from garrison.derive.mesh import envoy, inbound, limits
from garrison.derive.names import label_of
from garrison.derive.tokens import introspected
from garrison.manifest import compact
from garrison.model.graph import Graph, Issuer

Json = dict[str, Any]


def config(graph: Graph, cluster: Cluster) -> dict[str, str]:
    """The files beside it: the secrets that it watches."""
    certificates = {label_of(host): hosts.certificate(host) for host in host_names(graph)}
    return {
        "envoy.json": compact(_bootstrap(graph, cluster)),
        **envoy.secret_files(certificates),
        **introspection(graph),
    }


def introspection(graph: Graph) -> dict[str, str]:
    """Whom the agent asks about opaque tokens, by the issuer's name; no file where that is nobody."""
    asked = {issuer.name: _question(issuer) for issuer in introspected(graph)}
    return {INTROSPECTION: compact(asked)} if asked else {}


def _question(issuer: Issuer) -> Json:
    return {
        "endpoint": issuer.introspect,
        "client": issuer.client,
        "secret": logins.question(issuer.name),
        "issuer": issuer.url,
        "audiences": [issuer.audience],
        "ca": issuer.ca,
        "cache": issuer.cache_seconds,
    }


def _bootstrap(graph: Graph, cluster: Cluster) -> Json:
    return {
        "node": {"id": str(d.EDGE), "cluster": graph.name},
        "static_resources": {
            "listeners": [_public(graph, cluster), keys.listener(graph), inbound.health_listener()],
            "clusters": [contract_filter.cluster(), *counting.callee(graph, cluster)],
        },
        "dynamic_resources": {"cds_config": hosts.watched(d.RUN_DIR, CLUSTERS_FILE)},
        "overload_manager": limits.overload_manager(d.EDGE_MAX_CONNECTIONS, d.EDGE_HEAP),
        "layered_runtime": _runtime(),
        "admin": _admin(),
    }


def _public(graph: Graph, cluster: Cluster) -> Json:
    """Everybody's: one chain for each host; a handshake for any other name, or for none, ends there."""
    inspector = envoy.typed("extensions.filters.listener.tls_inspector.v3.TlsInspector")
    return {
        "name": "public",
        "address": envoy.address("0.0.0.0", d.EDGE_PORT),
        "per_connection_buffer_limit_bytes": d.CONNECTION_BUFFER,
        "listener_filters": [{"name": "envoy.filters.listener.tls_inspector", "typed_config": inspector}],
        "listener_filters_timeout": d.EDGE_DELAY,
        "filter_chains": [hosts.chain(graph, cluster, host) for host in host_names(graph)],
    }


def _runtime() -> Json:
    connections = {"public": d.EDGE_CONNECTIONS, "keys": d.KEYS_REQUESTS, "health": d.HEALTH_CONNECTIONS}
    values = {f"envoy.resource_limits.listener.{name}.connection_limit": most for name, most in connections.items()}
    values |= {
        "re2.max_program_size.error_level": d.PATTERN_SIZE,
        # sessions are encrypted with AES-GCM, and with nothing else (CVE-2026-47775)
        "envoy.reloadable_features.oauth2_use_gcm_encryption": True,
        "envoy.reloadable_features.oauth2_legacy_cbc_decrypt_compat": False,
    }
    return {"layers": [{"name": "limits", "static_layer": values}]}


def _admin() -> Json:
    """For the agent: whether what it brought was taken, and that the pod is to leave."""
    pipe = {"pipe": {"path": d.ADMIN_SOCKET, "mode": 0o660}}
    paths = [{"prefix": "/stats"}, {"exact": "/healthcheck/fail"}]
    return {"address": pipe, "allow_paths": paths, "ignore_global_conn_limit": True}
