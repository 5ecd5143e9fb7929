"""The side of a sidecar that faces callees: one loopback listener each, and a callee that is who it should be."""

from __future__ import annotations

from typing import Any

from garrison import defaults as d
from garrison.derive.mesh import envoy
from garrison.derive.names import full_host, server_name, way_out
from garrison.model.externals import is_outside
from garrison.model.graph import Call, Graph, Target
from garrison.words import Ref

Json = dict[str, Any]


def outbound_ports(graph: Graph, ref: Ref) -> dict[Target, int]:
    """The loopback port of each callee; sorted, so that the same graph gives the same ports."""
    targets = sorted(call.target for call in graph.calls_from.get(ref, ()))
    return {target: d.OUTBOUND_PORT + index for index, target in enumerate(targets)}


def alias_addresses(graph: Graph, ref: Ref) -> dict[str, str]:
    """An address on loopback for each name that is compiled into the caller's image; not the application's own."""
    names = sorted({call.alias_host for call in graph.calls_from.get(ref, ()) if call.alias})
    return {name: f"127.0.1.{index}" for index, name in enumerate(names, 1)}


def listener(graph: Graph, call: Call, port: int) -> Json:
    """Where the application finds the callee: on a port of its own, and where it was told by an alias."""
    name, where = str(call.target), envoy.address("127.0.0.1", port)
    made = envoy.listening(name, where, [envoy.chain(_handed_on(graph, call))])
    if call.alias:
        there = envoy.address(alias_addresses(graph, call.caller)[call.alias_host], call.alias_port)
        made["additional_addresses"] = [{"address": there}]
    return made


def _handed_on(graph: Graph, call: Call) -> Json:
    name = str(call.target)
    known = {"peer": graph.spiffe_id(_peer(call.callee)), "self": graph.spiffe_id(call.caller)}
    if call.connects:
        return envoy.tcp(name, name, access_log=envoy.connection_log("outbound", **known))
    # nothing was sent yet in either case, so any method may be tried again
    retry = {"retry_on": "connect-failure,reset-before-request", "num_retries": d.RETRIES}
    route = envoy.forward(
        name,
        retry_policy=retry,
        host_rewrite_literal=".".join(filter(None, (call.callee.name, call.callee.namespace))),
        **envoy.patience(graph.patience(call)),
    )
    if _keeps_token(graph, call):
        route["request_headers_to_remove"] = ["authorization"]
    manager = envoy.connection_manager(
        name,
        [route],
        durations={"idle_timeout": d.IDLE_TIMEOUT},
        preserve_external_request_id=True,  # the application's own: it joins its log with its proxy's
        access_log=envoy.access_log("outbound", **known),
        **envoy.codec(graph.protocols.get(call.target) == "grpc"),
    )
    return envoy.http(manager)


def _peer(callee: Ref) -> Ref:
    """Who is talked to: the callee, or for a host outside the gateway."""
    return d.EGRESS if is_outside(callee) else callee


def _keeps_token(graph: Graph, call: Call) -> bool:
    """Whether the caller has users' tokens, to forward them to others, and not to this callee. For a host outside it
    has credentials of its own under the same name.
    """
    if is_outside(call.callee):
        return False
    return not call.forwards and any(one.forwards for one in graph.calls_from[call.caller])


def of_call(graph: Graph, call: Call) -> Json:
    """The way to a callee in its protocol."""
    made = (
        _to_gateway(graph, call)
        if is_outside(call.callee)
        else cluster(graph, call.callee, str(call.target), call.port)
    )
    if call.connects:
        return envoy.plain(made)
    return envoy.http2(made) if graph.protocols.get(call.target) == "grpc" else made


def cluster(graph: Graph, callee: Ref, name: str = "", port: str = "") -> Json:
    """The way to a callee, by its own name unless another is given."""
    return _mutual(graph, callee, name or str(callee), server_name(callee, port))


def _to_gateway(graph: Graph, call: Call) -> Json:
    """The way to a host outside: the gateway, which is told by the server name whom and what it is asked for."""
    asked = way_out(call.callee, "connects" if call.connects else "calls")
    return _mutual(graph, d.EGRESS, str(call.target), asked)


def _mutual(graph: Graph, peer: Ref, name: str, sni: str) -> Json:
    tls = envoy.transport_socket(
        "UpstreamTlsContext",
        sni=sni,
        common_tls_context=envoy.tls_context({"exact": graph.spiffe_id(peer)}),
        max_session_keys=0,  # a resumed session would not look at the callee's certificate again
    )
    durations = {"idle_timeout": d.OUTBOUND_IDLE_TIMEOUT, "max_connection_duration": d.OUTBOUND_CONNECTION_DURATION}
    return envoy.cluster(name, full_host(peer), d.MTLS_PORT, dns=True, durations=durations, transport=tls)
