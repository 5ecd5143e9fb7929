"""The vocabulary of Envoy's v3 API that the mesh layer speaks: typed configs, TLS contexts, listeners, clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison import defaults as d
from garrison.manifest import compact

Json = dict[str, Any]
_TYPE = "type.googleapis.com/envoy"


def typed(kind: str, **body: Any) -> Json:
    return {"@type": f"{_TYPE}.{kind}", **body}


def address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def tls_certificate() -> Json:
    """This service's certificate, read again whenever the mounted Secret changes; no connection is dropped for it."""
    return {
        "name": "identity",
        "tls_certificate": {
            "certificate_chain": {"filename": f"{d.IDENTITY_DIR}/tls.crt"},
            "private_key": {"filename": f"{d.IDENTITY_DIR}/tls.key"},
            "watched_directory": {"path": d.IDENTITY_DIR},
        },
    }


def trust_bundle() -> Json:
    """The certificate authorities of the trust domain, read again when trust-manager changes them."""
    return {
        "name": "trust",
        "validation_context": {
            "trusted_ca": {"filename": f"{d.TRUST_DIR}/{d.TRUST_FILE}"},
            "watched_directory": {"path": d.TRUST_DIR},
        },
    }


def secret_files(more: Mapping[str, Json] | None = None) -> dict[str, str]:
    """The files that Envoy watches for its secrets, by their names (SDS): its identity, whom it trusts, and more."""
    secrets = {"identity": tls_certificate(), "trust": trust_bundle(), **(more or {})}
    kind = "extensions.transport_sockets.tls.v3.Secret"
    return {f"{name}.json": compact({"resources": [typed(kind, **body)]}) for name, body in secrets.items()}


def tls_context(*peers: Json) -> Json:
    """Both ends of mutual TLS: our certificate, TLS 1.3 alone, and a peer whose URI SAN matches one of `peers`.

    Raises ValueError without any: Envoy would take a list of none for everybody.
    """
    if not peers:
        raise ValueError("a TLS context without peers admits everybody")
    names = [{"san_type": "URI", "matcher": peer} for peer in peers]
    return {
        "tls_params": versions(d.TLS_MINIMUM),
        "tls_certificate_sds_secret_configs": [{"name": "identity", "sds_config": sds("identity")}],
        "combined_validation_context": {
            "default_validation_context": {"match_typed_subject_alt_names": names},
            "validation_context_sds_secret_config": {"name": "trust", "sds_config": sds("trust")},
        },
    }


def server_tls(host: str, ca: str, least: str) -> Json:
    """TLS with a server that is not ours: whoever `ca` (PEM) vouches for, or the image's system where that is empty,
    for exactly this name.
    """
    context = {
        "tls_params": versions(least),
        "validation_context": {
            "trusted_ca": {"inline_string": ca} if ca else {"filename": d.SYSTEM_TRUST},
            **named(host),
        },
    }
    return transport_socket("UpstreamTlsContext", sni=host, common_tls_context=context, max_session_keys=0)


def versions(least: str) -> Json:
    return {"tls_minimum_protocol_version": least, "tls_maximum_protocol_version": "TLSv1_3"}


def named(host: str) -> Json:
    """A server whose certificate has this name in DNS, or a wildcard that it fits."""
    return {"match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": host}}]}


def sds(name: str) -> Json:
    return {"path_config_source": {"path": f"/etc/envoy/{name}.json"}, "resource_api_version": "V3"}


def transport_socket(kind: str, **context: Any) -> Json:
    body = typed(f"extensions.transport_sockets.tls.v3.{kind}", **context)
    return {"name": "envoy.transport_sockets.tls", "typed_config": body}


def listener(name: str, where: Json, manager: Json, transport: Json | None = None) -> Json:
    """One that speaks HTTP, with a connection manager."""
    return listening(name, where, [chain(http(manager), transport=transport)])


def http(manager: Json) -> Json:
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}


def chain(*filters: Json, transport: Json | None = None, sni: str = "") -> Json:
    """What happens to a connection, or to one that asks for this name."""
    found: Json = {"filters": [*filters]}
    if sni:
        found["filter_chain_match"] = {"server_names": [sni]}
    if transport:
        found["transport_socket"] = transport
        found["transport_socket_connect_timeout"] = d.CONNECT_TIMEOUT
    return found


def listening(name: str, where: Json | None, chains: list[Json]) -> Json:
    """One with these chains; where any is for a name, the name is looked for. Without an address it is of connections
    within the process.
    """
    found: Json = {
        "name": name,
        **({"address": where} if where else {"internal_listener": {}}),
        "per_connection_buffer_limit_bytes": d.CONNECTION_BUFFER,
        "filter_chains": chains,
    }
    if any("filter_chain_match" in one for one in chains):
        kind = typed("extensions.filters.listener.tls_inspector.v3.TlsInspector")
        found["listener_filters"] = [{"name": "envoy.filters.listener.tls_inspector", "typed_config": kind}]
        found["listener_filters_timeout"] = d.CONNECT_TIMEOUT
    return found


def tcp(name: str, cluster: str, **more: Any) -> Json:
    """A connection handed on as it is. None lasts for ever: a certificate is looked at in the handshake only."""
    body = typed(
        "extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=name,
        cluster=cluster,
        idle_timeout=d.LONGEST,
        max_downstream_connection_duration=d.LONGEST,
        **more,
    )
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": body}


def connection_manager(
    name: str, routes: list[Json], *, durations: Json, filters: tuple[Json, ...] = (), **more: Any
) -> Json:
    """One whose routes never change, for whatever host name."""
    host = {"name": name, "domains": ["*"], "routes": routes}
    # HTTP/1 is what both ends speak; the other codecs' windows and resets are not ours to bound
    fixed = {"codec_type": "HTTP1", "route_config": {"name": name, "virtual_hosts": [host]}}
    return manager(name, durations=durations, filters=filters, **fixed | more)


def manager(name: str, *, durations: Json, filters: tuple[Json, ...] = (), **more: Any) -> Json:
    """An HTTP connection manager with the hardening of Envoy's own edge guide (path and header normalisation)."""
    router = typed("extensions.filters.http.router.v3.Router", suppress_envoy_headers=True)
    last = {"name": "envoy.filters.http.router", "typed_config": router}
    body = {
        "stat_prefix": name,
        "http_filters": [*filters, last],
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "common_http_protocol_options": {**durations, "headers_with_underscores_action": "REJECT_REQUEST"},
        "request_headers_timeout": d.HEADERS_TIMEOUT,
        "drain_timeout": d.CONNECTION_DRAIN,
        "always_set_request_id_in_response": True,
        "internal_address_config": {
            "unix_sockets": False
        },  # nobody is internal: a caller's x-envoy-* count for nothing
    }
    return typed("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager", **body | more)


def codec(grpc: bool) -> Json:
    """What a connection manager reads: HTTP/1, and where gRPC is spoken HTTP/2 as well, bounded as the edge's is."""
    if not grpc:
        return {}
    windows = {
        "max_concurrent_streams": d.EDGE_STREAMS,
        "initial_stream_window_size": d.EDGE_STREAM_WINDOW,
        "initial_connection_window_size": d.EDGE_CONNECTION_WINDOW,
    }
    return {"codec_type": "AUTO", "http2_protocol_options": windows}


def patience(seconds: int) -> Json:
    """How long a route waits for an answer; without an end a stream has what its own `grpc-timeout` says, or the hour
    that connections have.
    """
    if seconds:
        return {"timeout": f"{seconds}s"}
    return {
        "timeout": "0s",
        "max_stream_duration": {"max_stream_duration": d.LONGEST, "grpc_timeout_header_max": d.LONGEST},
    }


def forward(cluster: str, *, match: Json | None = None, **action: Any) -> Json:
    return {"match": match or {"prefix": "/"}, "route": {"cluster": cluster, "timeout": d.REQUEST_TIMEOUT, **action}}


def cluster(name: str, host: str, port: int, *, dns: bool, durations: Json, transport: Json | None = None) -> Json:
    kind = "extensions.upstreams.http.v3.HttpProtocolOptions"
    body: Json = {
        "name": name,
        "type": "STRICT_DNS" if dns else "STATIC",
        "connect_timeout": d.CONNECT_TIMEOUT,
        "per_connection_buffer_limit_bytes": d.CONNECTION_BUFFER,
        "typed_extension_protocol_options": {
            f"envoy.{kind}": typed(
                kind,
                common_http_protocol_options=durations,
                explicit_http_config={"http_protocol_options": {}},
            )
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(host, port)}}]}],
        },
    }
    if dns:
        body["dns_lookup_family"] = "V4_PREFERRED"
    return body | ({"transport_socket": transport} if transport else {})


def http2(cluster: Json) -> Json:
    """The same cluster in the protocol that gRPC needs."""
    options = cluster["typed_extension_protocol_options"]
    spoken: Json = {"explicit_http_config": {"http2_protocol_options": {}}}
    return cluster | {"typed_extension_protocol_options": {key: body | spoken for key, body in options.items()}}


def plain(cluster: Json) -> Json:
    """The same cluster for whatever is spoken over TCP."""
    return {key: value for key, value in cluster.items() if key != "typed_extension_protocol_options"}


def connection_log(direction: str, **fields: str) -> list[Json]:
    """One JSON line a TCP connection on standard output."""
    base = {
        "time": "%START_TIME%",
        "direction": direction,
        "server_name": "%REQUESTED_SERVER_NAME%",
        "received": "%BYTES_RECEIVED%",
        "sent": "%BYTES_SENT%",
        "detail": "%CONNECTION_TERMINATION_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
    }
    return _json_lines(base | fields)


def access_log(direction: str, **fields: str) -> list[Json]:
    """One JSON line a request on standard output, with its own id and what its caller says it belongs to."""
    base = {
        "time": "%START_TIME%",
        "direction": direction,
        "request_id": "%REQ(X-REQUEST-ID)%",
        "correlation_id": f"%REQ(X-CORRELATION-ID?X-REQUEST-ID):{d.CORRELATION_LENGTH}%",
        "method": "%REQ(:METHOD)%",
        "path": "%PATH(NQ)%",
        "status": "%RESPONSE_CODE%",
        "detail": "%RESPONSE_CODE_DETAILS%",
        "flags": "%RESPONSE_FLAGS%",
        "duration_ms": "%DURATION%",
    }
    return _json_lines(base | fields)


def _json_lines(fields: Json) -> list[Json]:
    body = typed("extensions.access_loggers.stream.v3.StdoutAccessLog", log_format={"json_format": fields})
    return [{"name": "envoy.access_loggers.stdout", "typed_config": body}]
