"""One host's filter chain: its name in the TLS handshake, its certificate, its connection manager."""

from __future__ import annotations

from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.edge import answers, counting, filters
from garrison.derive.edge.names import certificate_dir, login_host, routes_file
from garrison.derive.mesh import envoy
from garrison.derive.mesh.inbound import undisputed
from garrison.derive.names import label_of
from garrison.model.graph import Graph

Json = dict[str, Any]
ALPN: Final = ("h2", "http/1.1")


def chain(graph: Graph, cluster: Cluster, host: str) -> Json:
    own = host == login_host(graph)
    manager = envoy.manager(
        host,
        durations={
            "idle_timeout": d.IDLE_TIMEOUT,
            "max_connection_duration": d.CONNECTION_DURATION,
            "max_stream_duration": d.STREAM_DURATION,
            "max_headers_count": d.EDGE_HEADERS,
        },
        filters=filters.of_login_pages(graph, cluster) if own else filters.of_host(graph, cluster, host),
        codec_type="AUTO",
        rds={"route_config_name": host, "config_source": watched(d.RUN_DIR, routes_file(host))},
        http_protocol_options={"allow_absolute_url": False},  # the name is that of the handshake and of `Host`, once
        http2_protocol_options={
            "max_concurrent_streams": d.EDGE_STREAMS,
            "initial_stream_window_size": d.EDGE_STREAM_WINDOW,
            "initial_connection_window_size": d.EDGE_CONNECTION_WINDOW,
        },
        max_request_headers_kb=d.EDGE_HEADERS_KIB,
        stream_idle_timeout=d.STREAM_DURATION,
        server_header_transformation="PASS_THROUGH",
        use_remote_address=True,
        access_log=answers.log(),
        local_reply_config=answers.refusals(retry_after=counting.on(cluster)),
        # what a client calls its request would be in the trail of every service: here begins the trail
        **undisputed(*({"remove": name} for name in ("x-correlation-id", *d.CLAIMS_HEADERS))),
    )
    return {
        "name": host,
        "filter_chain_match": {"server_names": [host]},
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
        "transport_socket": _tls(host),
        "transport_socket_connect_timeout": d.EDGE_DELAY,
    }


def watched(folder: str, file: str) -> Json:
    source = {"path": f"{folder}/{file}", "watched_directory": {"path": folder}}
    return {"path_config_source": source, "resource_api_version": "V3"}


def _tls(host: str) -> Json:
    """TLS 1.3 with this host's certificate; a client needs none of its own."""
    sds = {"path_config_source": {"path": f"/etc/envoy/{label_of(host)}.json"}, "resource_api_version": "V3"}
    versions = {"tls_minimum_protocol_version": d.TLS_MINIMUM, "tls_maximum_protocol_version": "TLSv1_3"}
    context = {
        "tls_params": versions,
        "alpn_protocols": [*ALPN],
        "tls_certificate_sds_secret_configs": [{"name": host, "sds_config": sds}],
    }
    return envoy.transport_socket("DownstreamTlsContext", common_tls_context=context)


def certificate(host: str) -> Json:
    """The host's certificate, read again whenever the mounted Secret changes."""
    folder = certificate_dir(host)
    files = {"certificate_chain": {"filename": f"{folder}/tls.crt"}, "private_key": {"filename": f"{folder}/tls.key"}}
    return {"name": host, "tls_certificate": {**files, "watched_directory": {"path": folder}}}
