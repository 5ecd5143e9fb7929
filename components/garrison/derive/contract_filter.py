"""Where the edge's proxy asks its agent: Envoy's ext_authz filter over HTTP with the body, and the agent's cluster.

The filter stands behind tokens and limits, so strangers cannot reach the agent. It is on unless a route says otherwise
(`off()`, for routes without contract): a route that nobody thought of is refused.
"""

from __future__ import annotations

from typing import Any, Final

from garrison import defaults as d
from garrison.derive import contracts
from garrison.derive.mesh import envoy
from garrison.derive.tokens import FILTER, PAYLOAD
from garrison.model.graph import Graph, Route

Json = dict[str, Any]
NAME: Final = "envoy.filters.http.ext_authz"
AGENT: Final = "agent"  # the cluster's name
PORT: Final = 9002
"""Where the agent judges, on loopback."""
HEALTH_PORT: Final = 9003
"""Where the agent answers the kubelet on every address: `/live` and `/ready`."""
BODY: Final = 1024 * 1024
"""The largest body that is judged, bytes; a larger one is 413."""
TIMEOUT: Final = "1s"
"""For one judgement; after it the request is refused with 503. The largest body takes a tenth of it."""
INTROSPECTION: Final = "/introspect"  # then the issuer's name, then the path of the request
INTROSPECTION_TIMEOUT: Final = "3s"  # the agent gives the issuer 2 s
CONNECTIONS: Final = 1024
_SECRET: Final = ("authorization", "cookie", "proxy-authorization")


def http_filter() -> Json:
    """The filter, the same for every graph: a changed contract changes no listener. No token and no cookie is shown."""
    hidden = [{"exact": name, "ignore_case": True} for name in _SECRET]
    body = envoy.typed(
        "extensions.filters.http.ext_authz.v3.ExtAuthz",
        transport_api_version="V3",
        stat_prefix="contract",
        http_service={
            "server_uri": {"uri": f"http://{AGENT}/", "cluster": AGENT, "timeout": TIMEOUT},
            "authorization_response": {"allowed_client_headers": {"patterns": [{"exact": "content-type"}]}},
        },
        allowed_headers={"patterns": [{"safe_regex": {"regex": ".*"}}]},
        disallowed_headers={"patterns": hidden},
        with_request_body={"max_request_bytes": BODY, "allow_partial_message": False},
        failure_mode_allow=False,
        status_on_error={"code": "ServiceUnavailable"},
        validate_mutations=True,
    )
    return {"name": NAME, "typed_config": body}


def asks(issuer: str) -> str:
    """The filter that asks this issuer about tokens."""
    return f"introspection.{issuer}"


def introspection_filter(issuer: str) -> Json:
    """The same agent, asked about the opaque tokens of an issuer (RFC 7662); off but for routes that turn it `on()`.

    It stands where jwt_authn stands. The agent sees the token and nothing else of the request; what it says of the user
    replaces whatever the client sent under these names.
    """
    body = envoy.typed(
        "extensions.filters.http.ext_authz.v3.ExtAuthz",
        transport_api_version="V3",
        stat_prefix="introspection",
        http_service={
            "server_uri": {"uri": f"http://{AGENT}/", "cluster": AGENT, "timeout": INTROSPECTION_TIMEOUT},
            "path_prefix": f"{INTROSPECTION}/{issuer}",
            "authorization_response": {
                "allowed_client_headers": {"patterns": [{"exact": "content-type"}, {"exact": "www-authenticate"}]},
                "allowed_upstream_headers": {"patterns": [{"exact": d.ASKED_CLAIMS}, {"exact": d.ASKED_PAYLOAD}]},
            },
        },
        allowed_headers={"patterns": [{"exact": "x-request-id"}]},
        failure_mode_allow=False,
        status_on_error={"code": "ServiceUnavailable"},
        validate_mutations=True,
    )
    return {"name": asks(issuer), "typed_config": body, "disabled": True}


TOLD: Final = "introspected"


def told_filter() -> Json:
    """Puts what the agent said of a token where jwt_authn puts a payload, so that one rule, limit and log line does for
    both; off but for the same routes.
    """
    there = {"metadata_namespace": FILTER, "key": PAYLOAD, "type": "PROTOBUF_VALUE", "encode": "BASE64"}
    body = envoy.typed(
        "extensions.filters.http.header_to_metadata.v3.Config",
        request_rules=[{"header": d.ASKED_PAYLOAD, "on_header_present": there, "remove": True}],
    )
    return {"name": TOLD, "typed_config": body, "disabled": True}


def on() -> Json:
    """For `typed_per_filter_config` of a route, under the name of a filter that is off elsewhere."""
    return envoy.typed("config.route.v3.FilterConfig", config={})


def off() -> Json:
    """For `typed_per_filter_config` of a route without contract, under `NAME`."""
    return envoy.typed("extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute", disabled=True)


def per_route(graph: Graph, route: Route) -> Json:
    """What a route says of this filter in its `typed_per_filter_config`: nothing, or that it is off."""
    return {} if contracts.has(graph, route) else {NAME: off()}


def cluster() -> Json:
    """The agent, in the same pod."""
    bounds = {"max_connections": CONNECTIONS, "max_pending_requests": CONNECTIONS, "max_requests": CONNECTIONS}
    return {
        **envoy.cluster(AGENT, "127.0.0.1", PORT, dns=False, durations={"idle_timeout": "60s"}),
        "circuit_breakers": {"thresholds": [bounds]},
    }
