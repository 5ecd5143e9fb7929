"""How the edge is reached from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

from garrison.cluster import issuer as issuers
from garrison.cluster.issuer import Issuer
from garrison.cluster.ranges import issuer_range_problems
from garrison.cluster.words import is_whole
from garrison.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Entrance:
    """How the edge is reached from outside this cluster, where the graph has hosts."""

    port: int = 443
    """As clients see it: part of every URL of the edge, and of the embedded issuer's name, where it is not 443."""
    service: Literal["LoadBalancer", "NodePort"] = "LoadBalancer"
    """NodePort where the cluster has nobody who gives addresses, as on kind."""
    node_port: int | None = None
    """Which port of the nodes; None lets the cluster choose."""
    issuer: str | Issuer | None = None
    """Who signs the hosts' certificates: a ClusterIssuer by its name, or an issuer of any kind, in the namespace `edge`
    if it is namespaced. None is the one that signs identities."""
    replicas: int = 2
    """Of the edge. Local limits count in each."""
    issuer_ranges: tuple[str, ...] = ()
    """Where issuers are that are not ours, beside public addresses, which are open to the edge unless each issuer has a
    CA of its own and these ranges are given."""
    limits: Literal["local", "global"] = "local"
    """Where requests are counted: in each pod alone, or once for all of them, too."""


def problems(entrance: Any) -> Iterator[Problem]:
    if not isinstance(entrance, Entrance):
        yield Problem(
            "entrance", f"{entrance!r} is not an Entrance", "give port, service, node_port, issuer, replicas, limits"
        )
        return
    if not is_whole(entrance.port) or not 1 <= entrance.port <= 65535:
        yield Problem("entrance.port", f"{entrance.port!r} is not a port", "use 1 to 65535")
    if entrance.service not in ("LoadBalancer", "NodePort"):
        yield Problem("entrance.service", f"{entrance.service!r} leads to no edge", "use LoadBalancer or NodePort")
    node_port = entrance.node_port
    if node_port is not None and not (is_whole(node_port) and 30000 <= node_port <= 32767):
        yield Problem("entrance.node_port", f"{node_port!r} is not a port of the nodes", "use 30000 to 32767")
    if entrance.issuer is not None:
        yield from issuers.problems("entrance.issuer", entrance.issuer, identities=False)
    if not is_whole(entrance.replicas) or not 1 <= entrance.replicas <= 100:
        yield Problem("entrance.replicas", f"{entrance.replicas!r} replicas of the edge", "use 1 to 100")
    if isinstance(entrance.issuer_ranges, tuple):
        for cidr in entrance.issuer_ranges:
            yield from issuer_range_problems("entrance.issuer_ranges", cidr)
    else:
        yield Problem("entrance.issuer_ranges", "is not a list of address ranges", "use one such as 10.1.2.0/24")
    if entrance.limits not in ("local", "global"):
        yield Problem("entrance.limits", f"{entrance.limits!r} is no place to count", "use local or global")


def read(said: dict[str, Any]) -> Entrance:
    """From JSON, whose fields are known; what does not fit is left for `problems` to tell."""
    ranges, issuer = said.get("issuer_ranges", ()), said.get("issuer")
    more = {}
    if isinstance(issuer, dict) and not set(issuer) - {one.name for one in fields(Issuer)}:
        more["issuer"] = Issuer.read(issuer)
    return Entrance(**said | more | {"issuer_ranges": tuple(ranges) if isinstance(ranges, list) else ranges})
