"""How often, counted once for all pods: what Envoy asks the limiter, and what the limiter knows of each limit.

The buckets of each pod (`limits`) stay in front of it as the ceiling. The limiter counts in windows that begin with the
clock's second, minute or hour. It does not know routes: a limit is asked for by its rate, the route and whom it is
counted for, and only the rate has to be known. So a route changes nothing there unless its rate is new to the estate;
until the limiter has read of a new one, nothing passes that is counted by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.edge import limits
from garrison.derive.edge.names import login_host
from garrison.derive.mesh import envoy, outbound
from garrison.derive.names import full_host
from garrison.manifest import compact
from garrison.model.graph import Graph, Rate
from garrison.model.rates import SECONDS

Json = dict[str, Any]
FILTER: Final = "limit.global"
CALLEE: Final = str(d.LIMITS)  # the cluster
METHOD: Final = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
_KIND: Final = "extensions.filters.http.ratelimit.v3.RateLimit"


def on(cluster: Cluster) -> bool:
    """Whether this cluster counts for all pods."""
    return cluster.entrance.limits == "global"


def http_filter(graph: Graph, cluster: Cluster) -> list[Json]:
    """Nothing by itself, as its local counterpart; where the limiter does not answer, 503."""
    if not on(cluster):
        return []
    body = envoy.typed(
        _KIND,
        domain=graph.name,
        timeout=d.LIMITS_TIMEOUT,
        failure_mode_deny=True,
        status_on_error={"code": "ServiceUnavailable"},
        disable_x_envoy_ratelimited_header=True,
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        rate_limit_service={
            "grpc_service": {
                # the cluster's name, which would be said else, has a slash, and is no authority
                "envoy_grpc": {"cluster_name": CALLEE, "authority": full_host(d.LIMITS)},
                "timeout": d.LIMITS_TIMEOUT,
            },
            "transport_api_version": "V3",
        },
    )
    return [{"name": FILTER, "typed_config": body}]


def per_route(cluster: Cluster, rates: Iterable[Rate], route: str) -> Json:
    """What a route adds; its whole name, with the host, is what is counted."""
    asked = [
        {"actions": [_named("limit", _key(rate)), _named("route", route), *limits.actions(rate)]} for rate in rates
    ]
    return {FILTER: envoy.typed(f"{_KIND}PerRoute", rate_limits=asked)} if asked and on(cluster) else {}


def callee(graph: Graph, cluster: Cluster) -> list[Json]:
    """The way to the limiter: over HTTP/2, to its identity, and 503 at once when it is too much."""
    if not on(cluster):
        return []
    bounds = {"max_connections": d.EDGE_REQUESTS, "max_pending_requests": d.EDGE_REQUESTS}
    thresholds = {"thresholds": [bounds | {"max_requests": d.EDGE_REQUESTS}]}
    return [envoy.http2(outbound.cluster(graph, d.LIMITS)) | {"circuit_breakers": thresholds}]


def known(graph: Graph) -> str:
    """The limiter's file: each rate of the estate with that many requests, and any other with none."""
    rates = {rate for route in graph.routes for rate in route.rates} | (
        {limits.PASSWORDS} if login_host(graph) else set()
    )
    rows = [_limit(rate.requests, rate.seconds, limits.KEYS[rate.per], _key(rate)) for rate in sorted(rates)]
    ways = [_limit(0, 1, keys)["descriptors"][0] for keys in limits.KEYS.values()]
    nothing = {"key": "limit", "descriptors": [_merged(ways)]}
    return compact({"domain": graph.name, "descriptors": [*rows, nothing]})


def _merged(ways: list[Json]) -> Json:
    """One descriptor of the route for all that it may be counted by."""
    last = {"rate_limit": next(way["rate_limit"] for way in ways if "rate_limit" in way)}
    return {"key": "route", **last, "descriptors": [one for way in ways for one in way.get("descriptors", ())]}


def _limit(requests: int, seconds: int, keys: Iterable[str], value: str = "") -> Json:
    unit = {number: name for name, number in SECONDS.items()}[seconds]
    made: Json = {"rate_limit": {"unit": unit, "requests_per_unit": requests}}
    for key in reversed(("route", *keys)):
        made = {"descriptors": [{"key": key, **made}]}
    return {"key": "limit", **({"value": value} if value else {}), **made}


def _key(rate: Rate) -> str:
    return f"{rate.requests}/{rate.seconds}/{rate.per}"


def _named(key: str, value: str) -> Json:
    return {"generic_key": {"descriptor_key": key, "descriptor_value": value}}
