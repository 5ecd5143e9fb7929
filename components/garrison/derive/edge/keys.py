"""The key sets of the issuers, for the sidecars that verify tokens: over mutual TLS, each to exactly those who need it.

So no service needs a way to an issuer, and none may ask it for anything else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.edge import filters, routes
from garrison.derive.edge.hosts import watched
from garrison.derive.edge.login import keys_of
from garrison.derive.edge.names import KEYS_FILE
from garrison.derive.mesh import envoy, inbound
from garrison.derive.mesh.access import principal
from garrison.derive.tokens import Verifier, at_service, verifiers
from garrison.model.graph import Graph
from garrison.words import Ref

Json = dict[str, Any]
NAME: Final = "keys"


def readers(graph: Graph, cluster: Cluster) -> dict[Ref, tuple[Verifier, ...]]:
    """Every service that verifies tokens, with those whose tokens it does."""
    found = {service.ref: at_service(graph, cluster, service.ref) for service in graph.services}
    return {ref: accepted for ref, accepted in found.items() if accepted}


def listener(graph: Graph) -> Json:
    manager = envoy.manager(
        NAME,
        **inbound.OF_CALLERS,
        codec_type="HTTP1",
        filters=(filters.nobody(),),
        rds={"route_config_name": NAME, "config_source": watched(d.RUN_DIR, KEYS_FILE)},
        access_log=envoy.access_log("keys", peer="%DOWNSTREAM_PEER_URI_SAN%", self="%DOWNSTREAM_LOCAL_URI_SAN%"),
        **inbound.undisputed(),
    )
    return inbound.mutual_listener(graph, NAME, manager)


def configuration(graph: Graph, cluster: Cluster) -> Json:
    """The RouteConfiguration of that listener."""
    found = readers(graph, cluster)
    rows = [_row(graph, one, [ref for ref, mine in found.items() if one in mine]) for one in verifiers(graph, cluster)]
    host = {"name": NAME, "domains": ["*"], "routes": rows}
    return envoy.typed("config.route.v3.RouteConfiguration", name=NAME, virtual_hosts=[host])


def _row(graph: Graph, verifier: Verifier, callers: Sequence[Ref]) -> Json:
    """GET of one key set, for those services alone that verify with it."""
    uri, upstream = keys_of(verifier.keys)
    authority, _, path = uri.removeprefix("https://").partition("/")
    policy = {"permissions": [{"any": True}], "principals": [principal(graph.spiffe_id(ref)) for ref in callers]}
    return {
        "name": f"keys of {verifier.name}",
        "match": routes.matching(f"/keys/{verifier.name}", "GET"),
        "route": {
            "cluster": upstream,
            "prefix_rewrite": f"/{path}",
            "host_rewrite_literal": authority,
            "timeout": d.REQUEST_TIMEOUT,
            "retry_policy": {"retry_on": "connect-failure,reset-before-request,reset", "num_retries": d.RETRIES},
        },
        "request_headers_to_remove": ["x-forwarded-client-cert", "authorization", "cookie"],
        "typed_per_filter_config": {filters.ACCESS: routes.rule("readers", policy)},
    }
