"""The side of a sidecar that faces callees: one loopback listener each, and a callee that is who it should be."""

from __future__ import annotations

from typing import Any

from garrison import defaults as d
from garrison.derive.mesh import envoy
from garrison.derive.names import full_host
from garrison.model.graph import Graph
from garrison.words import Ref

Json = dict[str, Any]


def outbound_ports(graph: Graph, ref: Ref) -> dict[Ref, int]:
    """The loopback port of each callee; sorted, so that the same graph gives the same ports."""
    callees = sorted(call.callee for call in graph.calls_from.get(ref, ()))
    return {callee: d.OUTBOUND_PORT + index for index, callee in enumerate(callees)}


def listener(graph: Graph, caller: Ref, callee: Ref, port: int) -> Json:
    # nothing was sent yet in either case, so any method may be tried again
    retry = {"retry_on": "connect-failure,reset-before-request", "num_retries": d.RETRIES}
    route = envoy.forward(str(callee), retry_policy=retry, host_rewrite_literal=f"{callee.name}.{callee.namespace}")
    if _keeps_token(graph, caller, callee):
        route["request_headers_to_remove"] = ["authorization"]
    manager = envoy.connection_manager(
        str(callee),
        [route],
        durations={"idle_timeout": d.IDLE_TIMEOUT},
        preserve_external_request_id=True,  # the application's own: it joins its log with its proxy's
        access_log=envoy.access_log("outbound", peer=graph.spiffe_id(callee), self=graph.spiffe_id(caller)),
    )
    return envoy.listener(str(callee), envoy.address("127.0.0.1", port), manager)


def _keeps_token(graph: Graph, caller: Ref, callee: Ref) -> bool:
    """Whether the caller has users' tokens, to forward them to others, and not to this callee."""
    forwards = {call.callee: call.forwards for call in graph.calls_from[caller]}
    return any(forwards.values()) and not forwards[callee]


def cluster(graph: Graph, callee: Ref, name: str = "") -> Json:
    """The way to a callee, by its own name unless another is given."""
    host = full_host(callee)
    tls = envoy.transport_socket(
        "UpstreamTlsContext",
        sni=host,
        common_tls_context=envoy.tls_context({"exact": graph.spiffe_id(callee)}),
        max_session_keys=0,  # a resumed session would not look at the callee's certificate again
    )
    durations = {"idle_timeout": d.OUTBOUND_IDLE_TIMEOUT, "max_connection_duration": d.OUTBOUND_CONNECTION_DURATION}
    return envoy.cluster(name or str(callee), host, d.MTLS_PORT, dns=True, durations=durations, transport=tls)
