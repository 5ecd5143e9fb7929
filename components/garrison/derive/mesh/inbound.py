"""The side of a sidecar that faces callers and the kubelet: mutual TLS, authorisation, and no claims."""

from __future__ import annotations

from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import tokens
from garrison.derive.mesh import envoy
from garrison.derive.mesh.access import authorisation, serves_opaque, verification
from garrison.derive.names import APP
from garrison.model.graph import Graph, Service
from garrison.words import Ref

Json = dict[str, Any]
CLAIMS = (("subject", "sub"), ("issuer", "iss"))
OF_CALLERS: Json = {  # of a manager behind that: connections that end with their certificate, and who the caller is
    "durations": {
        "idle_timeout": d.IDLE_TIMEOUT,
        "max_connection_duration": d.CONNECTION_DURATION,
        "max_stream_duration": d.STREAM_DURATION,
    },
    "use_remote_address": True,
    "forward_client_cert_details": "SANITIZE_SET",
    "set_current_client_cert_details": {"uri": True},
}
BODY = "x-body"  # set where a request has a body of unknown length


def listener(graph: Graph, cluster: Cluster, service: Service) -> Json:
    tokens_of = verification(graph, cluster, service.ref)
    manager = envoy.connection_manager(
        "inbound",
        [_to_application(service.ref)],
        filters=(
            *tokens_of,
            authorisation(graph, cluster, service.ref),
            *_without_token(graph, service, tokens_of),
            *_told_claims(graph, service),
        ),
        **OF_CALLERS,
        access_log=envoy.access_log("inbound", **_told(graph)),
        **undisputed(*([{"remove": d.CLAIMS_HEADER}] if graph.hosts else [])),  # that of the edge: by the rule
    )
    return mutual_listener(graph, "inbound", manager)


def mutual_listener(graph: Graph, name: str, manager: Json) -> Json:
    """A listener on the mesh's port, for whoever has a certificate of the trust domain."""
    tls = envoy.transport_socket(
        "DownstreamTlsContext",
        require_client_certificate=True,
        common_tls_context=envoy.tls_context({"prefix": f"spiffe://{graph.trust_domain}/"}),
        disable_stateless_session_resumption=True,  # a resumed session asks for no certificate: one that has ended
        disable_stateful_session_resumption=True,  # would live on
    )
    return envoy.listener(name, envoy.address("0.0.0.0", d.MTLS_PORT), manager, tls)


def _told(graph: Graph) -> dict[str, str]:
    """What the log says beside what every proxy's says; the decision itself is in `status` and `detail`."""
    peers = {"peer": "%DOWNSTREAM_PEER_URI_SAN%", "self": "%DOWNSTREAM_LOCAL_URI_SAN%"}
    if not graph.hosts:
        return peers
    claims = {
        name: f"%DYNAMIC_METADATA({tokens.FILTER}:{tokens.PAYLOAD}:{claim}):{d.LOGGED_CLAIM}%" for name, claim in CLAIMS
    }
    return peers | {"rule": "%DYNAMIC_METADATA(envoy.filters.http.rbac:enforced_effective_policy_id)%"} | claims


def _without_token(graph: Graph, service: Service, verified: list[Json]) -> list[Json]:
    """The application gets what the token says, and the token itself only to forward it."""
    if not verified or any(call.forwards for call in graph.calls_from.get(service.ref, ())):
        return []
    kind = "extensions.filters.http.header_mutation.v3.HeaderMutation"
    body = envoy.typed(kind, mutations={"request_mutations": [{"remove": "authorization"}]})
    return [{"name": "envoy.filters.http.header_mutation", "typed_config": body}]


def _told_claims(graph: Graph, service: Service) -> list[Json]:
    """What the edge was told of an opaque token, under the name that claims have; the rule before let only it pass."""
    if not serves_opaque(graph, service.ref):
        return []
    told = {"header": {"key": d.CLAIMS_HEADER, "value": f"%REQ({d.ASKED_CLAIMS})%"}}
    mutations = [{"append": told | {"append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}, {"remove": d.ASKED_CLAIMS}]
    kind = "extensions.filters.http.header_mutation.v3.HeaderMutation"
    return [{"name": "claims", "typed_config": envoy.typed(kind, mutations={"request_mutations": mutations})}]


def _to_application(ref: Ref, match: Json | None = None, **action: Any) -> Json:
    """The application hears one host name, whatever the caller called it."""
    return envoy.forward(APP, match=match, host_rewrite_literal=f"{ref.name}.{ref.namespace}", **action)


def undisputed(*more: Json) -> Json:
    """No header that a server may prefer to the request line, the peer, or the host that were authorised.

    They go before anything else looks at the request. The caller's request id stays, under the name of what it is, a
    correlation: the id of the request is given here, so that no caller can choose one that is in the trail already.
    """
    claimed = {"key": "x-correlation-id", "value": f"%REQ(X-CORRELATION-ID?X-REQUEST-ID):{d.CORRELATION_LENGTH}%"}
    mutations = [
        {"append": {"header": claimed, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}},
        *({"remove": name} for name in ("x-request-id", *d.DISPUTED_HEADERS)),
        *({"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in d.DISPUTED_PREFIXES),
        *more,
    ]
    kind = "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    extension = {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": envoy.typed(kind, mutations=mutations),
    }
    return {"early_header_mutation_extensions": [extension]}


def health(service: Service) -> Json:
    """What the kubelet asks of a sidecar: the proxy itself, and the application behind it, before callers' requests."""
    return health_listener(_to_application(service.ref, asked("/healthz"), priority="HIGH"))


def health_listener(*behind: Json) -> Json:
    """What the kubelet asks, and nothing else: the proxy itself, and these routes.

    No flood of callers closes it: it has a limit of its own.
    """
    alive = {"match": asked("/proxy"), "direct_response": {"status": 200}}
    chunked = {"append": {"header": {"key": BODY, "value": "%REQ(TRANSFER-ENCODING)%"}}}
    manager = envoy.connection_manager(
        "health",
        [alive, *behind],
        durations={"idle_timeout": d.HEALTH_IDLE_TIMEOUT, "max_stream_duration": d.STREAM_DURATION},
        normalize_path=False,  # a path in other letters is another path
        merge_slashes=False,
        **undisputed(chunked),
    )
    own = {"ignore_global_conn_limit": True, "bypass_overload_manager": True}
    return envoy.listener("health", envoy.address("0.0.0.0", d.HEALTH_PORT), manager) | own


def asked(path: str) -> Json:
    """GET of exactly this: no query, no body (of unknown length: only early mutations see that, so they note it)."""
    exactly = [
        {"name": name, "string_match": {"exact": value}} for name, value in ((":method", "GET"), (":path", path))
    ]
    no_body = [{"name": name, "present_match": False} for name in ("content-length", BODY)]
    return {"path": path, "headers": [*exactly, *no_body]}


def application(service: Service) -> Json:
    """The application on loopback: bounded, with places kept for the kubelet."""
    bounds = [
        {
            "priority": priority,
            "max_connections": connections,
            "max_pending_requests": connections,
            "max_requests": 2 * connections,
        }
        for priority, connections in (("DEFAULT", d.APP_CONNECTIONS), ("HIGH", d.HEALTH_CONNECTIONS))
    ]
    return {
        **envoy.cluster(APP, "127.0.0.1", service.port, dns=False, durations={"idle_timeout": d.APP_IDLE_TIMEOUT}),
        "circuit_breakers": {"thresholds": bounds},
    }
