"""What a graph allows, as sentences: who may do what, to whom. What is not said is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from garrison.model.calls import Call
from garrison.model.parts import Parts

API: Final = "Kubernetes API"
WITH_TOKEN: Final = "with the user's token"  # noqa: S105 words, no password
UNCHECKED: Final = "with its identity; what is said is not checked"


class Allowed(NamedTuple):
    """One thing that somebody may do; its text form is the sentence.

    `joined`: the words before whom it is done to. `host`: through which host of the edge, empty within the cluster.
    `terms`: what else has to hold, such as a limit.
    """

    who: str
    what: str
    joined: str
    whom: str
    host: str = ""
    terms: tuple[str, ...] = ()

    def __str__(self) -> str:
        through = f" through {self.host}" if self.host else ""
        return ", ".join((f"{self.who} may {self.what} {self.joined} {self.whom}{through}", *self.terms))


def allowed(graph: Parts) -> Iterator[Allowed]:
    """Everything that the graph allows, an operation or a verb at a time."""
    for call in graph.calls:
        terms = (*([WITH_TOKEN] if call.forwards else []), *_halves(graph, call))
        for operation in call.operations:
            yield Allowed(str(call.caller), str(operation), "at", str(call.target), terms=terms)
        if call.connects:
            yield Allowed(str(call.caller), "connect", "to", str(call.target), terms=(UNCHECKED, *_halves(graph, call)))
    for route in graph.routes:
        limits = tuple(map(str, route.rates))
        yield Allowed(route.audience, str(route.operation), "at", str(route.service), route.host, limits)
    for use in graph.uses:
        yield Allowed(str(use.service), f"lease credentials as {use.role}", "at", str(use.database))
    for read in graph.reads:
        held = tuple(f"in the variable {name}" for name, _ in read.valued)
        yield Allowed(str(read.service), "read", "the", f"secret {read.path}", terms=held)
    for permission in graph.permissions:
        for verb in permission.verbs:
            yield Allowed(str(permission.service), f"{verb} {permission}", "through the", API)


def _halves(graph: Parts, call: Call) -> Iterator[str]:
    """What is needed of another App: its own half."""
    for ref in (call.caller, call.callee):
        if other := graph.elsewhere_of.get(ref):
            yield f"as far as App {other.name} says it too"
