"""The side of a sidecar that faces callers and the kubelet: mutual TLS, authorisation, and no claims."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import tokens
from garrison.derive.mesh import envoy
from garrison.derive.mesh.access import authorisation, serves_opaque, verification
from garrison.derive.names import APP, server_name
from garrison.model.graph import Call, Graph, Service, Target
from garrison.words import Ref

Json = dict[str, Any]
PEERS: Final = {"peer": "%DOWNSTREAM_PEER_URI_SAN%", "self": "%DOWNSTREAM_LOCAL_URI_SAN%"}
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
BOUNDS: Final = {  # of the application
    "priority": "DEFAULT",
    "max_connections": d.APP_CONNECTIONS,
    "max_pending_requests": d.APP_CONNECTIONS,
    "max_requests": 2 * d.APP_CONNECTIONS,
}
READY, ALIVE, PROXY_ALONE = "/healthz", "/livez", "/proxy"  # what the kubelet asks for, and of whom
READINESS, LIVENESS = "readiness", "liveness"
BODY = "x-body"  # set where a request has a body of unknown length


def listener(graph: Graph, cluster: Cluster, service: Service) -> Json | None:
    """One for all ports, told apart by the name that a caller asks for; none where nobody could connect."""
    chains = [*_further(graph, cluster, service), *_main(graph, cluster, service)]
    return envoy.listening("inbound", envoy.address("0.0.0.0", d.MTLS_PORT), chains) if chains else None


def _main(graph: Graph, cluster: Cluster, service: Service) -> Iterator[Json]:
    if service.protocol == "tcp":
        yield from _connections(graph, Target(service.ref), APP)
    elif service.port:
        tokens_of = verification(graph, cluster, service.ref)
        manager = _manager(
            graph,
            service,
            Target(service.ref),
            (*tokens_of, authorisation(graph, cluster, service.ref)),
            (*_without_token(graph, service, tokens_of), *_told_claims(graph, service)),
        )
        yield envoy.chain(envoy.http(manager), transport=mutual(graph))


def _further(graph: Graph, cluster: Cluster, service: Service) -> Iterator[Json]:
    """A further port has no users, and no chain where nobody calls it."""
    for port in graph.ports_of.get(service.ref, ()):
        target = Target(service.ref, port.name)
        if port.protocol == "tcp":
            yield from _connections(graph, target, app_cluster(port.name))
        elif _calls(graph, target):
            allowed = authorisation(graph, cluster, service.ref, port.name)
            manager = _manager(graph, service, target, (allowed,), ())
            sni = server_name(service.ref, port.name)
            yield envoy.chain(envoy.http(manager), transport=mutual(graph), sni=sni)


def _calls(graph: Graph, target: Target) -> list[Call]:
    return [call for call in graph.calls_to.get(target.ref, ()) if call.target == target]


def _manager(graph: Graph, service: Service, target: Target, first: tuple[Json, ...], then: tuple[Json, ...]) -> Json:
    waits = [graph.patience(call) for call in _calls(graph, target)]
    if not target.port and service.ref in graph.routes_of:
        waits.append(d.REQUEST_SECONDS)
    seconds = longest(waits)
    grpc = graph.protocols[target] == "grpc"
    return envoy.connection_manager(
        "inbound",
        [_to_application(service.ref, cluster=app_cluster(target.port), **envoy.patience(seconds))],
        filters=(*first, *then),
        **of_callers(seconds),
        access_log=envoy.access_log("inbound", **_told(graph)),
        **envoy.codec(grpc),
        **undisputed(*([{"remove": d.CLAIMS_HEADER}] if graph.hosts else [])),  # that of the edge: by the rule
    )


def longest(waits: list[int]) -> int:
    """The longest of several times for an answer, in seconds; 0 is as long as it takes."""
    return 0 if 0 in waits else max(waits, default=d.REQUEST_SECONDS)


def of_callers(seconds: int) -> Json:
    """What a manager has that faces callers who wait so long for an answer."""
    return OF_CALLERS | {"durations": OF_CALLERS["durations"] | _as_long_as(seconds)}


def _as_long_as(seconds: int) -> dict[str, str]:
    """How long a request may take with its body: as long as its answer may, and then what there is for any."""
    if not seconds:
        return {"max_stream_duration": d.LONGEST}
    return {"max_stream_duration": f"{seconds + 45}s"} if seconds > d.REQUEST_SECONDS else {}


def _connections(graph: Graph, target: Target, cluster: str) -> Iterator[Json]:
    """TCP, from the callers; without one there is no chain."""
    callers = sorted({call.caller for call in _calls(graph, target)})
    if callers:
        log = envoy.connection_log("inbound", **PEERS)
        yield connections(graph, callers, server_name(target.ref, target.port), "inbound", cluster, log)


def connections(graph: Graph, callers: list[Ref], sni: str, name: str, cluster: str, log: list[Json]) -> Json:
    """TCP: whoever is no caller ends in the handshake, before a server that speaks first has said a word.

    A list of no callers would admit everybody, and is refused. The rule behind it is the second layer; nobody is
    connected to before the handshake is done.
    """
    known = [graph.spiffe_id(ref) for ref in callers]
    names = [{"authenticated": {"principal_name": {"exact": one}}} for one in known]
    rules = {"action": "ALLOW", "policies": {"callers": {"permissions": [{"any": True}], "principals": names}}}
    kind = "extensions.filters.network.rbac.v3.RBAC"
    allowed = {"name": "envoy.filters.network.rbac", "typed_config": envoy.typed(kind, stat_prefix=name, rules=rules)}
    handed_on = envoy.tcp(
        name,
        cluster,
        upstream_connect_mode="ON_DOWNSTREAM_TLS_HANDSHAKE",
        max_early_data_bytes=d.CONNECTION_BUFFER,
        access_log=log,
    )
    return envoy.chain(allowed, handed_on, transport=exactly(graph, callers), sni=sni)


def exactly(graph: Graph, callers: list[Ref]) -> Json:
    """A certificate is asked for, and these have one."""
    if not callers:
        raise ValueError("a way for nobody")
    return mutual(graph, *({"exact": graph.spiffe_id(ref)} for ref in callers))


def mutual_listener(graph: Graph, name: str, manager: Json) -> Json:
    """A listener on the mesh's port, for whoever has a certificate of the trust domain."""
    return envoy.listener(name, envoy.address("0.0.0.0", d.MTLS_PORT), manager, mutual(graph))


def mutual(graph: Graph, *callers: Json) -> Json:
    """A certificate is asked for: of one of these, or where rules come later of anybody in the trust domain."""
    return envoy.transport_socket(
        "DownstreamTlsContext",
        require_client_certificate=True,
        common_tls_context=envoy.tls_context(*(callers or ({"prefix": f"spiffe://{graph.trust_domain}/"},))),
        disable_stateless_session_resumption=True,  # a resumed session asks for no certificate: one that has ended
        disable_stateful_session_resumption=True,  # would live on
    )


def _told(graph: Graph) -> dict[str, str]:
    """What the log says beside what every proxy's says; the decision itself is in `status` and `detail`."""
    if not graph.hosts:
        return PEERS
    claims = {
        name: f"%DYNAMIC_METADATA({tokens.FILTER}:{tokens.PAYLOAD}:{claim}):{d.LOGGED_CLAIM}%" for name, claim in CLAIMS
    }
    return PEERS | {"rule": "%DYNAMIC_METADATA(envoy.filters.http.rbac:enforced_effective_policy_id)%"} | claims


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


def _to_application(ref: Ref, *, cluster: str, **action: Any) -> Json:
    """The application hears one host name, whatever the caller called it."""
    return envoy.forward(cluster, host_rewrite_literal=f"{ref.name}.{ref.namespace}", **action)


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
    """What the kubelet asks of a sidecar: the proxy itself, and what the proxy found when it asked the application."""
    return health_listener(filters=tuple(_found(path, name) for name, path, _ in questions(service)))


def questions(service: Service) -> list[tuple[str, str, str]]:
    """What is asked of the application: by which cluster, under which path the kubelet hears of it, and how."""
    ready, alive = (READINESS, READY, service.health), (LIVENESS, ALIVE, service.liveness)
    return [(name, path, how) for name, path, how in (ready, alive) if how]


def _found(path: str, cluster: str) -> Json:
    """Answers 200 as long as all of the cluster answers, which is the application alone."""
    body = envoy.typed(
        "extensions.filters.http.health_check.v3.HealthCheck",
        pass_through_mode=False,
        cluster_min_healthy_percentages={cluster: {"value": 100}},
        headers=asked(path)["headers"],
    )
    return {"name": f"health of {cluster}", "typed_config": body}


def health_listener(*behind: Json, filters: tuple[Json, ...] = ()) -> Json:
    """What the kubelet asks, and nothing else: the proxy itself, and these routes and filters.

    No flood of callers closes it: it has a limit of its own.
    """
    alive = {"match": asked("/proxy"), "direct_response": {"status": 200}}
    chunked = {"append": {"header": {"key": BODY, "value": "%REQ(TRANSFER-ENCODING)%"}}}
    manager = envoy.connection_manager(
        "health",
        [alive, *behind],
        durations={"idle_timeout": d.HEALTH_IDLE_TIMEOUT, "max_stream_duration": d.STREAM_DURATION},
        filters=filters,
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


def app_cluster(port: str = "") -> str:
    """What a sidecar calls its application, at one of its further ports."""
    return f"{APP}:{port}" if port else APP


def applications(graph: Graph, service: Service) -> Iterator[Json]:
    """The application on loopback, bounded: where callers' requests go, and whom the proxy asks how it is."""
    further = [(port.name, port.number, port.protocol) for port in graph.ports_of.get(service.ref, ())]
    for name, number, protocol in (*([("", service.port, service.protocol)] if service.port else []), *further):
        cluster = app_cluster(name)
        made = envoy.cluster(cluster, "127.0.0.1", number, dns=False, durations={"idle_timeout": d.APP_IDLE_TIMEOUT})
        spoken = {"grpc": envoy.http2, "tcp": envoy.plain}.get(protocol, lambda same: same)(made)
        yield spoken | {"circuit_breakers": {"thresholds": [BOUNDS]}}
    for name, _, how in questions(service):
        made = envoy.cluster(name, "127.0.0.1", service.port, dns=False, durations={})
        spoken = envoy.http2(made) if how == "grpc" else made
        yield spoken | {"health_checks": [_check(service.ref, how)]}


def _check(ref: Ref, how: str) -> Json:
    """How Envoy asks; what answers is asked less often than what does not, so that a start is noticed at once."""
    host = f"{ref.name}.{ref.namespace}"
    question: Json = {"tcp_health_check": {}}
    if how == "grpc":
        question = {"grpc_health_check": {"authority": host}}
    elif how != "tcp":
        good = [{"start": 200, "end": 400}]  # as the kubelet has it
        question = {"http_health_check": {"path": how, "host": host, "expected_statuses": good}}
    return {
        "timeout": d.HEALTH_ANSWER,
        "interval": d.HEALTH_INTERVAL,
        "no_traffic_interval": d.HEALTH_INTERVAL,
        "no_traffic_healthy_interval": d.HEALTH_INTERVAL,
        "unhealthy_interval": d.HEALTH_INTERVAL_AWAY,
        "unhealthy_edge_interval": d.HEALTH_INTERVAL_AWAY,
        "unhealthy_threshold": d.HEALTH_FAILURES,
        "healthy_threshold": 1,
        **question,
    }
