"""What is expected between services: declared operations pass, everything else is stopped by a known layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from garrison import defaults as d
from garrison.model.graph import Graph, Operation
from garrison.prove.expect.samples import declared, forwards, sample, served, undeclared
from garrison.prove.model import OUTSIDE, Connect, Kind, Layer, Party, Phase, Probe, Request
from garrison.words import Ref


@dataclass(frozen=True)
class Way:
    """A way to approach a service, and the layer that stops it when the network does not."""

    kind: Kind
    port: int
    request: Request
    stopped_by: Layer | None


def between(graph: Graph, source: Party, target: Party) -> Iterator[Probe]:
    """With every layer in place: an undeclared pair meets the network first, a declared one what comes after it."""
    operations = declared(graph, source.ref, target.ref)
    user = forwards(graph, source.ref, target.ref)
    yield from _allowed(source, target, operations, user)
    for way in _declared_ways(operations, user):
        yield _probe(source, target, way, way.stopped_by, "closed")
    for way in _ways(graph, source, target):
        past_network = operations and way.port == d.MTLS_PORT
        layer = way.stopped_by if past_network and way.stopped_by else "network"
        yield _probe(source, target, way, layer, "closed")


def identity_alone(graph: Graph, source: Party, target: Party) -> Iterator[Probe]:
    """With the network opened between the two, the other layers still refuse."""
    known = bool(declared(graph, source.ref, target.ref))
    for way in _ways(graph, source, target):
        seen_closed = known and way.port == d.MTLS_PORT  # the network never stood in the way of these
        if way.stopped_by and not seen_closed:
            yield _probe(source, target, way, way.stopped_by, "network open")
    yield from _undeclared(graph, source, target)
    yield from _misled(graph, source, target)


def impostor(graph: Graph, caller: Ref, callee: Ref) -> Ref | None:
    """A service that can stand where the callee should be, with a good certificate in its own name."""
    return next((s.ref for s in graph.services if s.ref not in (caller, callee)), None)


def _undeclared(graph: Graph, source: Party, target: Party) -> Iterator[Probe]:
    """What the estate's own authority gives in any namespace is a name of the trust domain, and of nobody it knows."""
    if source.role != "service" and target.ref in graph.calls_to:
        request = Request(served(graph, target.ref)[0], credential="undeclared identity")
        way = Way(Kind.UNDECLARED_IDENTITY, d.MTLS_PORT, request, "authorization")
        yield _probe(source, target, way, "authorization", "network open")


def _misled(graph: Graph, source: Party, target: Party) -> Iterator[Probe]:
    """The other half of mutual TLS: a caller whose callee's name leads elsewhere does not talk to who is there."""
    operations = declared(graph, source.ref, target.ref)
    if operations and impostor(graph, source.ref, target.ref):
        request = Request(sample(operations[0]), tls=False, through_proxy=True, misled=True)
        way = Way(Kind.IMPOSTOR, d.MTLS_PORT, request, "identity")
        yield _probe(source, target, way, "identity", "network open")


def network_alone(graph: Graph, source: Party, target: Party) -> Iterator[Probe]:
    """With a target that lets every identity do everything, the network still refuses undeclared pairs.

    A declared pair is the positive control: what it may not do elsewhere passes here, so the target is really open.
    """
    for way in _ways(graph, source, target):
        if way.kind in (Kind.UNDECLARED, Kind.NO_CERTIFICATE):
            known = bool(declared(graph, source.ref, target.ref))
            yield _probe(source, target, way, None if known else "network", "identity open")


def from_outside(target: Party, ports: tuple[int, ...]) -> Iterator[Probe]:
    """At every node's address: nothing of the target is published there, so either nobody listens or nothing passes."""
    layers: frozenset[Layer] = frozenset({"network", "workload"})
    for port in ports:
        yield Probe(OUTSIDE, target, port, Kind.NODE_ADDRESS, Connect(), layers)


def _allowed(source: Party, target: Party, operations: tuple[Operation, ...], user: bool) -> Iterator[Probe]:
    for operation in operations:
        for kind, request in (
            (Kind.DECLARED, Request(sample(operation), tls=False, through_proxy=True, user=user)),
            (Kind.DIRECT, Request(sample(operation), credential="own", user=user)),
        ):
            yield Probe(source, target, d.MTLS_PORT, kind, request, operation=str(operation))


def _declared_ways(operations: tuple[Operation, ...], user: bool) -> Iterator[Way]:
    """What must not work although the operation is declared; one operation is enough."""
    for operation in map(sample, operations[:1]):
        resumed = Request(operation, credential="own", resumed=True)
        yield Way(Kind.RESUMED, d.MTLS_PORT, resumed, "identity")
        claimed = Request(operation, credential="own", user=user, claims=True)
        yield Way(Kind.CLAIMED, d.MTLS_PORT, claimed, "authorization")
        if user:
            yield Way(Kind.WITHOUT_TOKEN, d.MTLS_PORT, Request(operation, credential="own"), "authorization")


def _ways(graph: Graph, source: Party, target: Party) -> Iterator[Way]:
    """Everything that must not work, whoever tries it; only a service has a certificate of its own to show."""
    own = source.role == "service"
    first = next(iter([sample(o) for o in declared(graph, source.ref, target.ref)] or served(graph, target.ref)))
    if own:
        for operation in undeclared(graph, source.ref, target.ref):
            request = Request(operation, credential="own")
            yield Way(Kind.UNDECLARED, d.MTLS_PORT, request, "authorization")
    yield Way(Kind.PLAINTEXT, d.MTLS_PORT, Request(first, tls=False), "identity")
    yield Way(Kind.NO_CERTIFICATE, d.MTLS_PORT, Request(first), "identity")
    yield Way(Kind.WRONG_DOMAIN, d.MTLS_PORT, Request(first, credential="foreign domain"), "identity")
    yield Way(Kind.WRONG_AUTHORITY, d.MTLS_PORT, Request(first, credential="foreign authority"), "identity")
    old = Request(first, credential="own" if own else "none", tls12=True)
    yield Way(Kind.OLD_TLS, d.MTLS_PORT, old, "identity")
    yield Way(Kind.APPLICATION_PORT, graph.by_ref[target.ref].port, Request(first, tls=False), "workload")
    yield Way(Kind.HEALTH_PORT, d.HEALTH_PORT, Request(Operation("GET", "/healthz"), tls=False), None)


def _probe(source: Party, target: Party, way: Way, layer: Layer | None, phase: Phase) -> Probe:
    layers: frozenset[Layer] = frozenset({layer} if layer else ())
    operation = str(way.request.operation)
    return Probe(source, target, way.port, way.kind, way.request, layers, phase, operation)
