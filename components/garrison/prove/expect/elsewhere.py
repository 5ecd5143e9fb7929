"""What is expected of workloads of other Apps: declared calls reach them, and nobody and nothing else does.

They are targets alone. No pod is started where another App lives, so that its calls to here are for its own proof,
in which this App's services are the targets.
"""

from __future__ import annotations

from collections.abc import Iterator

from garrison import defaults as d
from garrison.model.graph import Graph, Target
from garrison.prove.expect.calls import HEALTH, Ends, Way, allowed, first_of, misled, unproven
from garrison.prove.expect.samples import undeclared
from garrison.prove.model import NETWORK, Kind, Layer, Party, Probe, Request
from garrison.words import Ref


def parties(graph: Graph) -> list[Party]:
    """Whoever of another App can be called."""
    return [_party(ref) for ref, foreign in graph.foreign.items() if foreign.ports]


def callers(graph: Graph) -> list[Ref]:
    """Workloads of other Apps that are let in here."""
    return sorted({call.caller for call in graph.calls if call.caller in graph.foreign})


def closed(graph: Graph, source: Party) -> Iterator[Probe]:
    """With every layer in place: whoever has no call there is kept in by the network, everybody is refused the rest."""
    for target in parties(graph):
        pairs = [*_ends(graph, source, target)]
        known = any(pair.declared for pair in pairs)
        for pair in pairs:
            yield from allowed(pair)
            for way in _ways(pair):
                yield pair.probe(way, way.stopped_by if known else "network")
        request = Request(HEALTH, tls=False)
        yield Probe(source, target, d.HEALTH_PORT, Kind.HEALTH_PORT, request, NETWORK, operation=str(HEALTH))


def their_half(graph: Graph, source: Party) -> Iterator[Probe]:
    """With the network opened here: it is still closed there to whom that App does not let in."""
    for target in parties(graph):
        pairs = [*_ends(graph, source, target)]
        for pair in pairs:
            yield from misled(pair)
            if not any(one.declared for one in pairs):
                for way in _ways(pair):
                    yield pair.probe(way, "network", "network open")


def _party(ref: Ref) -> Party:
    return Party("elsewhere", ref.namespace, ref.name)


def _ends(graph: Graph, source: Party, target: Party) -> Iterator[Ends]:
    """At the main port, and at further ones where somebody of this App calls."""
    for name, _ in graph.foreign[target.ref].ports:
        at = Target(target.ref, name)
        if not name or any(call.target == at for call in graph.calls_to.get(target.ref, ())):
            yield Ends(graph, source, target, at)


def _ways(pair: Ends) -> Iterator[Way]:
    own, first = pair.source.role == "service", first_of(pair)
    layer: Layer = "identity"
    if own and not pair.tcp:
        for operation in undeclared(pair.graph, pair.source.ref, pair.at):
            attempt = pair.attempt(operation, credential="own")
            yield Way(Kind.UNDECLARED, d.MTLS_PORT, attempt, "authorization")
    elif own and not pair.declared:
        yield Way(Kind.UNDECLARED, d.MTLS_PORT, pair.attempt(None, credential="own"), layer)
    if pair.declared:
        resumed = pair.attempt(first, credential="own", resumed=True)
        yield Way(Kind.RESUMED, d.MTLS_PORT, resumed, layer)
    yield from unproven(pair, layer)
