"""Who goes out, where to, and the names by which the gateway's listeners and clusters mention each other."""

from __future__ import annotations

from typing import Final

from garrison import defaults as d
from garrison.model.externals import External
from garrison.model.graph import Graph
from garrison.model.names import proxy_config
from garrison.words import Ref

LISTENER: Final = "egress"
TUNNEL: Final = "tunnel"  # where connections of applications' own TLS get to the rule about addresses
CONFIG: Final = Ref(d.EGRESS.namespace, proxy_config(d.EGRESS))


def called(graph: Graph) -> dict[External, list[Ref]]:
    """The hosts whose operations are declared, with everybody who calls them."""
    return _used(graph, connects=False)


def connected(graph: Graph) -> dict[External, list[Ref]]:
    """The hosts with which applications speak TLS of their own, with everybody who does."""
    return _used(graph, connects=True)


def _used(graph: Graph, *, connects: bool) -> dict[External, list[Ref]]:
    """Those alone that somebody uses: an empty list of callers admits everybody."""
    found: dict[External, set[Ref]] = {}
    for one in graph.externals:
        for call in graph.calls_to.get(one.ref, ()):
            if call.connects == connects:
                found.setdefault(one, set()).add(call.caller)
    return {one: sorted(who) for one, who in found.items()}


def used(graph: Graph) -> list[External]:
    return sorted({*called(graph), *connected(graph)})


def callers(graph: Graph) -> list[Ref]:
    """Everybody who goes out."""
    return sorted({ref for uses in (called(graph), connected(graph)) for refs in uses.values() for ref in refs})
