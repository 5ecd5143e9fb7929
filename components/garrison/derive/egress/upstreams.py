"""The hosts outside: found by DNS, at addresses that are judged one by one, and known by their certificates."""

from __future__ import annotations

from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.egress.names import TUNNEL, called, connected
from garrison.derive.egress.ranges import addresses, permitted
from garrison.derive.mesh import envoy
from garrison.derive.names import way_out
from garrison.model.externals import External
from garrison.model.graph import Graph

Json = dict[str, Any]
PROTOCOL = "extensions.upstreams.http.v3.HttpProtocolOptions"
ADDRESSES = "envoy.filters.http.upstream_rbac"


def clusters(graph: Graph, cluster: Cluster) -> list[Json]:
    open_to = addresses(cluster)
    found = [_outside(one.authority, one, open_to, _tls(one, cluster)) for one in called(graph)]
    found += [_outside(f"{TUNNEL} {one.authority}", one, open_to, None) for one in connected(graph)]
    within = [way_out(one.ref, "connects") for one in connected(graph)]
    return [*found, *(_within(name) for name in [*within, *([TUNNEL] if within else [])])]


def _outside(name: str, external: External, open_to: Json, transport: Json | None) -> Json:
    """Every address of an answer stands alone, and is judged when it is chosen, before a packet goes there."""
    durations = {"idle_timeout": d.OUTBOUND_IDLE_TIMEOUT, "max_connection_duration": d.OUTBOUND_CONNECTION_DURATION}
    if transport is None:
        durations = {}  # of requests; a tunnel is one request as long as its connection
    made = envoy.cluster(name, external.host, external.port, dns=True, durations=durations, transport=transport)
    made["typed_extension_protocol_options"][f"envoy.{PROTOCOL}"]["http_filters"] = [
        {"name": ADDRESSES, "typed_config": _addresses(open_to, external.port)},
        {
            "name": "envoy.filters.http.upstream_codec",
            "typed_config": envoy.typed("extensions.filters.http.upstream_codec.v3.UpstreamCodec"),
        },
    ]
    made |= {"typed_dns_resolver_config": _resolver(), "respect_dns_ttl": True}
    bounds = {"max_connections": d.EGRESS_REQUESTS, "max_pending_requests": d.EGRESS_REQUESTS}
    bounds |= {"max_requests": d.EGRESS_REQUESTS, "max_retries": d.EGRESS_REQUESTS // 16}
    return made | {"circuit_breakers": {"thresholds": [bounds]}}


def _addresses(open_to: Json, port: int) -> Json:
    policy = {"permissions": [permitted(open_to, port)], "principals": [{"any": True}]}
    rules = {"action": "ALLOW", "policies": {"outside": policy}}
    return envoy.typed("extensions.filters.http.rbac.v3.RBAC", rules=rules)


def _resolver() -> Json:
    """The cluster's, asked for the name as it is: with search domains a Service could be called like a host outside."""
    kind = "extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
    options = {"no_default_search_domain": True}
    return {"name": "envoy.network.dns_resolver.cares", "typed_config": envoy.typed(kind, dns_resolver_options=options)}


def _tls(external: External, cluster: Cluster) -> Json:
    ca = dict(cluster.egress.authorities).get(external.host, "")
    return envoy.server_tls(external.host, ca, d.EGRESS_TLS_MINIMUM)


def _within(name: str) -> Json:
    """The way to a listener of this process."""
    where = {"envoy_internal_address": {"server_listener_name": name}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": where}}]}]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": d.CONNECT_TIMEOUT,
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
    }
