"""How callers come to the gateway: one filter chain for each host and way, for exactly its callers.

A chain is chosen by the server name that the caller's sidecar asks for, and its TLS context names the callers, so that
nobody else gets as far as a byte of the host. Where there is no caller there is no chain: a context that names nobody
admits everybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.egress.names import LISTENER, TUNNEL, called, connected
from garrison.derive.mesh import access, envoy, inbound
from garrison.derive.names import way_out
from garrison.model.externals import External
from garrison.model.graph import Graph
from garrison.words import Ref

Json = dict[str, Any]
# What callers are called within, and the trail of requests: nobody's business outside.
INTERNAL_HEADERS = (
    *("x-forwarded-client-cert", "x-forwarded-for", "x-forwarded-proto", "x-request-id", "x-correlation-id"),
    *("x-envoy-attempt-count", "x-envoy-original-path"),
)


def listeners(graph: Graph, cluster: Cluster) -> list[Json]:
    """That of callers, and behind it, within the process, those that look into applications' own TLS."""
    chains = [_called(graph, cluster, one, who) for one, who in called(graph).items()]
    chains += [_connected(graph, one, who) for one, who in connected(graph).items()]
    outer = envoy.listening(LISTENER, envoy.address("0.0.0.0", d.MTLS_PORT), chains)
    inner = [_inner(one) for one in connected(graph)]
    return [outer, *inner, *([_tunnel(connected(graph))] if inner else [])]


def _called(graph: Graph, cluster: Cluster, external: External, callers: list[Ref]) -> Json:
    """Each request is one of its caller's operations, or is refused."""
    seconds = inbound.longest([graph.patience(call) for call in graph.calls_to[external.ref] if not call.connects])
    route = envoy.forward(
        external.authority,
        host_rewrite_literal=external.ref.name,
        # nothing was sent yet in either case, so any method may be tried again
        retry_policy={"retry_on": "connect-failure,reset-before-request", "num_retries": d.RETRIES},
        **envoy.patience(seconds),
    )
    name = way_out(external.ref, "calls")
    manager = envoy.connection_manager(
        name,
        [route | {"request_headers_to_remove": [*INTERNAL_HEADERS]}],
        filters=(access.authorisation(graph, cluster, external.ref),),
        **inbound.of_callers(seconds),
        access_log=envoy.access_log("egress", **_told(external)),
        **inbound.undisputed(),
    )
    return envoy.chain(envoy.http(manager), transport=inbound.exactly(graph, callers), sni=name)


def _told(external: External) -> dict[str, str]:
    return inbound.PEERS | {"host": external.authority, "address": "%UPSTREAM_HOST%"}


def _connected(graph: Graph, external: External, callers: list[Ref]) -> Json:
    """Bytes, from these callers; whether they are TLS with this host is seen further in."""
    name = way_out(external.ref, "connects")
    log = envoy.connection_log("egress", **inbound.PEERS, host=external.authority)
    return inbound.connections(graph, callers, name, name, name, log)


def _inner(external: External) -> Json:
    """The handshake of the application itself: TLS, and with this host and no other, or the connection ends."""
    name = way_out(external.ref, "connects")
    onward = envoy.tcp(name, TUNNEL, tunneling_config={"hostname": external.authority})
    made = envoy.listening(name, None, [envoy.chain(onward, sni=external.host)])
    return made | {"listener_filters_timeout": d.HEADERS_TIMEOUT}


def _tunnel(externals: Iterable[External]) -> Json:
    """Within the process a connection asks for its host by CONNECT: only requests meet the rule about addresses."""
    hosts = [_by_connect(one) for one in externals]
    manager = envoy.manager(
        TUNNEL,
        durations={"idle_timeout": d.LONGEST},
        codec_type="HTTP1",
        route_config={"name": TUNNEL, "virtual_hosts": hosts},
        upgrade_configs=[{"upgrade_type": "CONNECT"}],
        stream_idle_timeout=d.LONGEST,
        access_log=envoy.access_log("egress", host="%REQ(:AUTHORITY)%", address="%UPSTREAM_HOST%"),
    )
    return envoy.listening(TUNNEL, None, [envoy.chain(envoy.http(manager))])


def _by_connect(external: External) -> Json:
    action = {
        "cluster": f"{TUNNEL} {external.authority}",
        "timeout": "0s",
        "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
    }
    route = {"match": {"connect_matcher": {}}, "route": action}
    return {"name": external.authority, "domains": [external.authority], "routes": [route]}
