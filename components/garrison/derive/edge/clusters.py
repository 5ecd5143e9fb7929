"""Whom the edge asks: services by their identity, the embedded issuer and others by the names in their certificates.

A cluster is called after its callee, never after a route: a changed route changes no cluster.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.edge.login import keys_of
from garrison.derive.edge.names import USERS, login_of
from garrison.derive.mesh import envoy, outbound
from garrison.derive.tokens import introspected, verifiers
from garrison.model.graph import Graph

Json = dict[str, Any]
HTTPS: Final = 443


def dynamic(graph: Graph, cluster: Cluster) -> list[Json]:
    """All but the agent."""
    made = [bounded(outbound.cluster(graph, callee), d.EDGE_REQUESTS) for callee in sorted(graph.routes_of)]
    made += [bounded(_users(), d.EDGE_REQUESTS)] if graph.embedded_issuer else []
    trusted = {authority: issuer.ca for issuer in graph.issuers for authority in issuer.authorities}
    others = other_issuers(graph, cluster)
    made += [bounded(_other(authority, trusted[authority]), d.KEYS_REQUESTS) for authority in others]
    return [envoy.typed("config.cluster.v3.Cluster", **one) for one in made]


def other_issuers(graph: Graph, cluster: Cluster) -> list[str]:
    """The authorities (host, or host:port) at which the edge asks issuers that are not ours for keys and tokens."""
    return sorted({where for where in _asked(graph, cluster) if where != USERS})


def _asked(graph: Graph, cluster: Cluster) -> Iterator[str]:
    yield from (keys_of(one.keys)[1] for one in verifiers(graph, cluster))
    for host in graph.hosts:
        issuer = login_of(graph, host.name)
        if issuer and not issuer.embedded:
            yield keys_of(issuer.token)[1]


def ports(graph: Graph, cluster: Cluster) -> dict[int, bool]:
    """The ports at which pods of the edge reach other issuers: the proxy for keys and logins, the agent to ask; and
    whether some issuer there has a certificate of a public CA, so may be anywhere.
    """
    places = {*other_issuers(graph, cluster), *(keys_of(issuer.introspect)[1] for issuer in introspected(graph))}
    public = {one for issuer in graph.issuers if not issuer.ca for one in issuer.authorities}
    found = sorted((place(authority)[1], authority in public) for authority in places)
    return dict(found)  # of one port, true comes last


def place(authority: str) -> tuple[str, int]:
    """Host and port of an authority."""
    host, _, port = authority.partition(":")
    return host, int(port or HTTPS)


def bounded(cluster: Json, requests: int) -> Json:
    """So many at once; the next one is told 503 instead of waiting."""
    bounds = {"max_connections": requests, "max_pending_requests": requests, "max_requests": requests}
    retries = {"max_retries": requests // 16}  # an ailing callee is not asked three times as often
    return cluster | {"circuit_breakers": {"thresholds": [bounds | retries]}}


def _users() -> Json:
    """The embedded issuer, by the name in its certificate."""
    host = f"{d.USERS.name}.{d.USERS.namespace}.svc"
    context = {
        "tls_params": envoy.versions(d.TLS_MINIMUM),
        "combined_validation_context": {
            "default_validation_context": envoy.named(host),
            "validation_context_sds_secret_config": {"name": "trust", "sds_config": envoy.sds("trust")},
        },
    }
    tls = envoy.transport_socket("UpstreamTlsContext", sni=host, common_tls_context=context, max_session_keys=0)
    return _https(USERS, host, d.STORE_PORT, tls)


def _other(authority: str, ca: str) -> Json:
    """Another issuer: whoever its CA vouches for, or the system where it has none of its own, for exactly this name,
    over TLS 1.2 or better.
    """
    host, port = place(authority)
    return _https(authority, host, port, envoy.server_tls(host, ca, "TLSv1_2"))


def _https(name: str, host: str, port: int, tls: Json) -> Json:
    durations = {"idle_timeout": d.OUTBOUND_IDLE_TIMEOUT, "max_connection_duration": d.OUTBOUND_CONNECTION_DURATION}
    return envoy.cluster(name, host, port, dns=True, durations=durations, transport=tls)
