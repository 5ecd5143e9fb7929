"""What is expected of the way out: declared hosts and operations pass the gateway, and nothing gets around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from garrison import defaults as d
from garrison.derive.egress.names import called, connected, used
from garrison.derive.names import Way, way_out
from garrison.model.externals import External
from garrison.model.graph import Graph, Target
from garrison.prove.expect.calls import impostor
from garrison.prove.expect.samples import declared, sample, served, undeclared
from garrison.prove.model import (
    FREE,
    GATEWAY,
    NETWORK,
    Connect,
    Hold,
    Kind,
    Layer,
    OwnTls,
    Party,
    Phase,
    Probe,
    Request,
)
from garrison.words import Ref

METADATA = Party("external", "", "169.254.169.254")  # where clouds keep the credentials of a node
NODE = Party("external", "", "node")
NOBODYS = "garrison-probe.example"  # a host that nobody declares: of a domain that nobody can have (RFC 6761)
PLACES = ((METADATA, 80), (NODE, 10250))  # the latter is the kubelet's


@dataclass(frozen=True)
class Exit:
    """One way to one host, as one party tries it."""

    graph: Graph
    source: Party
    external: External
    way: Way

    @property
    def target(self) -> Party:
        return Party("external", "", self.external.ref.name)

    @property
    def at(self) -> Target:
        return Target(self.external.ref)

    @property
    def declared(self) -> bool:
        users = (called if self.way == "calls" else connected)(self.graph)
        return self.source.role == "service" and self.source.ref in users[self.external]

    @property
    def leaves(self) -> bool:
        """Whether the source gets to the gateway at all."""
        return leaves(self.graph, self.source)

    def attempt(self, **how: Any) -> Request | Hold:
        """Something that would be let through were it not for how it is tried."""
        if self.way == "connects":
            return Hold(**how)
        mine = [sample(one) for one in declared(self.graph, self.source.ref, self.at)]
        return Request((mine or served(self.graph, self.at))[0], **how)

    def probe(
        self, kind: Kind, attempt: Request | Hold | OwnTls, layer: Layer | None, phase: Phase = "closed"
    ) -> Probe:
        said = str(attempt.operation) if isinstance(attempt, Request) else "connect"
        layers: frozenset[Layer] = frozenset({layer} if layer else ())
        return Probe(self.source, self.target, d.MTLS_PORT, kind, attempt, layers, phase, said)


def leaves(graph: Graph, source: Party) -> bool:
    """Whether a party uses some host outside."""
    calls = graph.calls_from.get(source.ref, ()) if source.role == "service" else ()
    return any(not call.callee.namespace for call in calls)


def externals(graph: Graph) -> list[Party]:
    """The hosts that somebody uses."""
    return [Party("external", "", one.ref.name) for one in used(graph)]


def exits(graph: Graph, source: Party) -> Iterator[Exit]:
    for external in called(graph):
        yield Exit(graph, source, external, "calls")
    for external in connected(graph):
        yield Exit(graph, source, external, "connects")


def closed(graph: Graph, source: Party) -> Iterator[Probe]:
    """With every layer in place: who uses no host outside does not get to the gateway, and nobody gets past it."""
    for one in exits(graph, source):
        if one.declared:
            yield from _allowed(one)
            yield from _beyond(one)
        for kind, attempt in _forbidden(one):
            yield one.probe(kind, attempt, "identity" if one.leaves else "network")
    if graph.leaves and source != FREE:  # the undeclared namespace has no policy
        yield from _around(graph, source)


def identity_alone(graph: Graph, source: Party) -> Iterator[Probe]:
    """With the network opened, the gateway still refuses everybody but a host's own callers."""
    for one in exits(graph, source):
        if not one.leaves:
            for kind, attempt in _forbidden(one):
                yield one.probe(kind, attempt, "identity", "network open")
        if source.role != "service":
            attempt = one.attempt(credential="undeclared identity")
            yield one.probe(Kind.UNDECLARED_IDENTITY, attempt, "identity", "network open")
        if one.declared and impostor(graph, source.ref, d.EGRESS):
            attempt = one.attempt(tls=False, through_proxy=True, misled=True)
            yield one.probe(Kind.IMPOSTOR, attempt, "identity", "network open")


def _allowed(one: Exit) -> Iterator[Probe]:
    if one.way == "connects":
        for kind, through in ((Kind.DECLARED, True), (Kind.DIRECT, False)):
            yield one.probe(kind, OwnTls(one.external.host, through_proxy=through), None)
        return
    for operation in declared(one.graph, one.source.ref, one.at):
        for kind, request in (
            (Kind.DECLARED, Request(sample(operation), tls=False, through_proxy=True)),
            (Kind.DIRECT, Request(sample(operation), credential="own")),
        ):
            yield Probe(one.source, one.target, d.MTLS_PORT, kind, request, operation=str(operation))


def _beyond(one: Exit) -> Iterator[Probe]:
    """What a declared caller may not do at its own host, and what the gateway may not take for that host."""
    yield one.probe(Kind.RESUMED, one.attempt(credential="own", resumed=True), "identity")
    if one.way == "connects":
        yield one.probe(Kind.OTHER_HOST, OwnTls(NOBODYS), "authorization")
        yield one.probe(Kind.NO_TLS, OwnTls(one.external.host, plain=True), "authorization")
        return
    for operation in undeclared(one.graph, one.source.ref, one.at):
        yield one.probe(Kind.UNDECLARED, Request(operation, credential="own"), "authorization")
    yield one.probe(Kind.WRONG_HOST, one.attempt(credential="own", by="mistaken"), "identity")
    yield one.probe(Kind.STEERED, one.attempt(credential="own", by="steered"), "authorization")


def _forbidden(one: Exit) -> Iterator[tuple[Kind, Request | Hold]]:
    """Everything that must not work, whoever tries it; all of it ends in the handshake."""
    own = one.source.role == "service"
    if own:
        asked = way_out(Ref("", NOBODYS), one.way)
        yield Kind.UNDECLARED_HOST, one.attempt(credential="own", asked=asked)
    if own and not one.declared:
        yield Kind.UNDECLARED_HOST, one.attempt(credential="own")
    yield Kind.PLAINTEXT, one.attempt(tls=False)
    yield Kind.NO_CERTIFICATE, one.attempt()
    yield Kind.WRONG_DOMAIN, one.attempt(credential="foreign domain")
    yield Kind.WRONG_AUTHORITY, one.attempt(credential="foreign authority")
    yield Kind.OLD_TLS, one.attempt(credential="own" if own else "none", tls12=True)


def _around(graph: Graph, source: Party) -> Iterator[Probe]:
    """Straight out: to where a host outside is, and to what nobody may ask, the gateway included."""
    for target, port in PLACES:
        yield Probe(source, target, port, Kind.AROUND, Connect(), NETWORK)
    for external in used(graph):
        target = Party("external", "", external.ref.name)
        if source == GATEWAY:
            yield Probe(source, target, external.port, Kind.WAY_OUT, Connect())
        else:
            yield Probe(source, target, external.port, Kind.AROUND, Connect(), NETWORK)
