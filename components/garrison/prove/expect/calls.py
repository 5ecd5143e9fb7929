"""What is expected between services: what is declared passes, everything else is stopped by a known layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from garrison import defaults as d
from garrison.derive.names import full_host
from garrison.model.graph import Graph, Operation, Target
from garrison.prove.expect.samples import calls, declared, forwards, sample, served, undeclared
from garrison.prove.model import NETWORK, OUTSIDE, Connect, Hold, Kind, Layer, Party, Phase, Probe, Request
from garrison.words import Ref

HEALTH = Operation("GET", "/healthz")


@dataclass(frozen=True)
class Way:
    """A way to approach a service, and the layer that stops it when the network does not."""

    kind: Kind
    port: int
    attempt: Request | Hold
    stopped_by: Layer | None


@dataclass(frozen=True)
class Ends:
    """Who approaches whom, at which port."""

    graph: Graph
    source: Party
    target: Party
    at: Target

    @property
    def tcp(self) -> bool:
        return self.graph.protocols[self.at] == "tcp"

    @property
    def handshake(self) -> Layer:
        """What refuses whoever should not be there: the proxy, but where nobody may connect it does not listen."""
        service = self.graph.by_ref[self.target.ref]
        listens = service.port and service.protocol != "tcp"
        return "identity" if listens or self.target.ref in self.graph.calls_to else "workload"

    @property
    def declared(self) -> bool:
        return bool(calls(self.graph, self.source.ref, self.at))

    def attempt(self, operation: Operation | None, **how: Any) -> Request | Hold:
        """A request, or where nobody knows what would be said a connection."""
        if self.tcp or operation is None:
            return Hold(at=self.at.port, **how)
        return Request(operation, at=self.at.port, grpc=self.graph.protocols[self.at] == "grpc", **how)

    def said(self, operation: Operation | None) -> str:
        """What is asked for, in the report's words; at a further port with its name."""
        what = str(operation) if operation else "connect"
        return f"{what} at {self.at.port}" if self.at.port else what

    def probe(self, way: Way, layer: Layer | None, phase: Phase = "closed") -> Probe:
        layers: frozenset[Layer] = frozenset({layer} if layer else ())
        operation = way.attempt.operation if isinstance(way.attempt, Request) else None
        said = self.said(operation)
        return Probe(self.source, self.target, way.port, way.kind, way.attempt, layers, phase, said)


def ends(graph: Graph, source: Party, target: Party) -> Iterator[Ends]:
    """At each port of the target that has callers or might."""
    service = graph.by_ref[target.ref]
    if service.port:
        yield Ends(graph, source, target, Target(target.ref))
    for port in graph.ports_of.get(target.ref, ()):
        at = Target(target.ref, port.name)
        if port.protocol == "tcp" or any(call.target == at for call in graph.calls_to.get(target.ref, ())):
            yield Ends(graph, source, target, at)


def between(graph: Graph, source: Party, target: Party) -> Iterator[Probe]:
    """With every layer in place: an undeclared pair meets the network first, a declared one what comes after it."""
    known = any(pair.declared for pair in ends(graph, source, target))
    for pair in ends(graph, source, target):
        yield from allowed(pair)
        if pair.declared:
            for way in _declared_ways(pair):
                yield pair.probe(way, way.stopped_by)
        for way in _ways(pair):
            past_network = known and way.port == d.MTLS_PORT
            yield pair.probe(way, way.stopped_by if past_network and way.stopped_by else "network")
    request = Request(HEALTH, tls=False)
    yield Probe(source, target, d.HEALTH_PORT, Kind.HEALTH_PORT, request, NETWORK, operation=str(HEALTH))


def identity_alone(graph: Graph, source: Party, target: Party) -> Iterator[Probe]:
    """With the network opened between the two, the other layers still refuse."""
    known = any(pair.declared for pair in ends(graph, source, target))
    for pair in ends(graph, source, target):
        for way in _ways(pair):
            seen_closed = known and way.port == d.MTLS_PORT  # the network never stood in the way of these
            if way.stopped_by and not seen_closed:
                yield pair.probe(way, way.stopped_by, "network open")
        yield from _bare(pair)
        yield from _undeclared(pair)
        yield from misled(pair)


def impostor(graph: Graph, caller: Ref, callee: Ref) -> Ref | None:
    """A service that can stand where the callee should be, with a good certificate in its own name.

    One that speaks TCP alone would refuse the callee's name before it showed whose it is.
    """
    able = (s.ref for s in graph.services if s.port and s.protocol != "tcp")
    return next((ref for ref in able if ref not in (caller, callee)), None)


def _bare(pair: Ends) -> Iterator[Probe]:
    """An image that binds every address is reached as soon as the network is open: one layer less, and seen to be."""
    if pair.graph.by_ref[pair.target.ref].bind == "all":
        number = pair.graph.numbers_of(pair.target.ref)[pair.at.port]
        yield Probe(pair.source, pair.target, number, Kind.APPLICATION_PORT, Connect(), phase="network open")


def _undeclared(pair: Ends) -> Iterator[Probe]:
    """What the estate's own authority gives in any namespace is a name of the trust domain, and of nobody it knows."""
    called = any(call.target == pair.at for call in pair.graph.calls_to.get(pair.target.ref, ()))
    if pair.source.role != "service" and called:
        attempt = pair.attempt(served(pair.graph, pair.at)[0], credential="undeclared identity")
        layer: Layer = pair.handshake if pair.tcp else "authorization"
        yield pair.probe(Way(Kind.UNDECLARED_IDENTITY, d.MTLS_PORT, attempt, layer), layer, "network open")


def misled(pair: Ends) -> Iterator[Probe]:
    """The other half of mutual TLS: a caller whose callee's name leads elsewhere does not talk to who is there."""
    if pair.declared and impostor(pair.graph, pair.source.ref, pair.target.ref):
        attempt = pair.attempt(first_of(pair), tls=False, through_proxy=True, misled=True)
        yield pair.probe(Way(Kind.IMPOSTOR, d.MTLS_PORT, attempt, "identity"), "identity", "network open")


def network_alone(graph: Graph, source: Party, target: Party) -> Iterator[Probe]:
    """With a target that lets every identity do everything, the network still refuses undeclared pairs.

    A declared pair is the positive control: what it may not do elsewhere passes here, so the target is really open.
    """
    known = any(pair.declared for pair in ends(graph, source, target))
    for pair in ends(graph, source, target):
        if not graph.calls_to.get(target.ref) and pair.tcp:
            continue  # without a caller there is no chain, and nothing that could be opened
        for way in _ways(pair):
            if way.kind in (Kind.UNDECLARED, Kind.NO_CERTIFICATE) and not pair.at.port:
                yield pair.probe(way, None if known else "network", "identity open")


def from_outside(target: Party, ports: tuple[int, ...]) -> Iterator[Probe]:
    """At every node's address: nothing of the target is published there, so either nobody listens or nothing passes."""
    layers: frozenset[Layer] = frozenset({"network", "workload"})
    for port in ports:
        yield Probe(OUTSIDE, target, port, Kind.NODE_ADDRESS, Connect(), layers)


def allowed(pair: Ends) -> Iterator[Probe]:
    """What is declared, through the source's own proxy and straight."""
    user = forwards(pair.graph, pair.source.ref, pair.at)
    operations: tuple[Operation | None, ...] = declared(pair.graph, pair.source.ref, pair.at)
    if pair.tcp:
        operations = (None,) if pair.declared else ()
    token = {"user": True} if user else {}
    for operation in operations:
        said = sample(operation) if operation else None
        for kind, attempt in (
            (Kind.DECLARED, pair.attempt(said, tls=False, through_proxy=True, **token)),
            (Kind.DIRECT, pair.attempt(said, credential="own", **token)),
        ):
            yield Probe(pair.source, pair.target, d.MTLS_PORT, kind, attempt, operation=pair.said(operation))


def first_of(pair: Ends) -> Operation | None:
    """An operation that the source may perform, or else anybody."""
    if pair.tcp:
        return None
    mine = [sample(operation) for operation in declared(pair.graph, pair.source.ref, pair.at)]
    return (mine or served(pair.graph, pair.at))[0]


def _declared_ways(pair: Ends) -> Iterator[Way]:
    """What must not work although it is declared; one operation is enough."""
    first, user = first_of(pair), forwards(pair.graph, pair.source.ref, pair.at)
    yield Way(Kind.RESUMED, d.MTLS_PORT, pair.attempt(first, credential="own", resumed=True), "identity")
    if pair.graph.protocols[pair.at] == "http" and not pair.at.port:  # what the copy's application speaks, and where
        claimed = pair.attempt(first, credential="own", user=user, claims=True)
        yield Way(Kind.CLAIMED, d.MTLS_PORT, claimed, "authorization")
    if user:
        yield Way(Kind.WITHOUT_TOKEN, d.MTLS_PORT, pair.attempt(first, credential="own"), "authorization")


def _ways(pair: Ends) -> Iterator[Way]:
    """Everything that must not work, whoever tries it; only a service has a certificate of its own to show."""
    own, first, layer = pair.source.role == "service", first_of(pair), pair.handshake
    if own:
        yield from _beyond(pair)
    yield from unproven(pair, layer)
    number = pair.graph.numbers_of(pair.target.ref)[pair.at.port]
    everywhere = pair.graph.by_ref[pair.target.ref].bind == "all"  # where it is the network alone
    stopped_by: Layer | None = None if everywhere else "workload"
    yield Way(Kind.APPLICATION_PORT, number, pair.attempt(first, tls=False), stopped_by)


def unproven(pair: Ends, layer: Layer) -> Iterator[Way]:
    """Without a certificate, with one that does not count, or over a TLS that is too old: for every target alike."""
    first = first_of(pair)
    yield Way(Kind.PLAINTEXT, d.MTLS_PORT, pair.attempt(first, tls=False), layer)
    yield Way(Kind.NO_CERTIFICATE, d.MTLS_PORT, pair.attempt(first), layer)
    yield Way(Kind.WRONG_DOMAIN, d.MTLS_PORT, pair.attempt(first, credential="foreign domain"), layer)
    yield Way(Kind.WRONG_AUTHORITY, d.MTLS_PORT, pair.attempt(first, credential="foreign authority"), layer)
    old = pair.attempt(first, credential="own" if pair.source.role == "service" else "none", tls12=True)
    yield Way(Kind.OLD_TLS, d.MTLS_PORT, old, layer)


def _beyond(pair: Ends) -> Iterator[Way]:
    """With a certificate of its own: what others may do, and what nobody may."""
    if not pair.tcp:
        for operation in undeclared(pair.graph, pair.source.ref, pair.at):
            attempt = pair.attempt(operation, credential="own")
            yield Way(Kind.UNDECLARED, d.MTLS_PORT, attempt, "authorization")
        return
    if not pair.declared:  # who may connect is decided in the handshake, before a server can have said a word
        yield Way(Kind.UNDECLARED, d.MTLS_PORT, pair.attempt(None, credential="own"), pair.handshake)
    if not pair.at.port:
        nobodys = f"garrison-probe.{full_host(pair.target.ref)}"
        yield Way(Kind.UNDECLARED_PORT, d.MTLS_PORT, Hold(credential="own", asked=nobodys), pair.handshake)
