"""Where the gateway may go: the internet, and no address of this cluster, this machine or somebody's inside.

One list for both layers: the network policy, and the proxy, which judges each address to which a name has led.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster

Json = dict[str, Any]
EVERYWHERE: Final = ("0.0.0.0/0", "::/0")


def closed(cluster: Cluster) -> list[str]:
    """All that is not the internet, and what is the cluster's own though it has public addresses."""
    said = {ipaddress.ip_network(cidr) for cidr in (*d.NOT_PUBLIC, *cluster.api_server, *cluster.egress.closed)}
    widest = [one for one in said if not any(_in(one, other) for other in said - {one})]
    return [str(one) for one in sorted(widest, key=lambda one: (one.version, one))]


def _in(one: Any, other: Any) -> bool:
    return one.version == other.version and bool(one.subnet_of(other))


def addresses(cluster: Cluster) -> Json:
    """Envoy's permission for an address to which a name has led; the same for every host."""
    public = {"not_rule": _any([_at(cidr) for cidr in closed(cluster)])}
    return _any([public, *(_at(cidr) for cidr in cluster.egress.allowed)])


def permitted(addresses: Json, port: int) -> Json:
    """That, and for this port.

    The port is asked for first and not only because it is declared: without an address the answer is no.
    """
    declared = _matcher(upstream_port_range={"start": port, "end": port + 1})
    return {"and_rules": {"rules": [declared, addresses]}}


def blocks(cluster: Cluster) -> list[Json]:
    """The same for a network policy. IPv4 inside IPv6 sockets is IPv4 there."""
    shut = [ipaddress.ip_network(cidr) for cidr in closed(cluster) if cidr != d.MAPPED]
    public = [
        {"cidr": cidr, "except": [str(one) for one in shut if _in(one, ipaddress.ip_network(cidr))]}
        for cidr in EVERYWHERE
    ]
    return [{"ipBlock": one} for one in [*public, *({"cidr": cidr} for cidr in cluster.egress.allowed)]]


def _any(rules: list[Json]) -> Json:
    return {"or_rules": {"rules": rules}}


def _at(cidr: str) -> Json:
    prefix, _, length = cidr.partition("/")
    return _matcher(upstream_ip={"address_prefix": prefix, "prefix_len": int(length)})


def _matcher(**what: Json) -> Json:
    kind = "type.googleapis.com/envoy.extensions.rbac.matchers.upstream_ip_port.v3.UpstreamIpPortMatcher"
    return {"matcher": {"name": "envoy.rbac.matchers.upstream_ip_port", "typed_config": {"@type": kind, **what}}}
