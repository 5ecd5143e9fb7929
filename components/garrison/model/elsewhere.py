"""Other Apps on the same cluster, as far as this one has to know them.

A call between two Apps is a row in both graphs, and each row opens one half of the way: the caller's lets it out and
names whom it talks to, the callee's lets it in and names who it is. What stands here is what the other App's own graph
says: it can refuse what this one says, and grants nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from garrison import defaults as d
from garrison.model.breach import Breach, Place
from garrison.model.calls import Call
from garrison.model.ports import LONGEST
from garrison.model.services import Protocol, spoken
from garrison.model.texts import MAX_LABEL, is_label, is_trust_domain, named
from garrison.words import Ref

AGAIN = "write its graph again with `garrison graph --format json`"


@dataclass(frozen=True, order=True)
class Foreign:
    """A workload of another App. `ports` are what can be called there, each with what it speaks; the main one has no
    name, and a worker or a job has none.
    """

    ref: Ref
    ports: tuple[tuple[str, Protocol], ...] = ()


@dataclass(frozen=True, order=True)
class Elsewhere:
    """Another App: whom it has, and which calls of this App's workloads it lets in."""

    name: str
    trust_domain: str
    namespaces: tuple[str, ...]
    """All that it makes, those of its gateways too."""
    workloads: tuple[Foreign, ...] = ()
    admits: tuple[Call, ...] = ()
    """Rows of its graph: the caller is of this App, the callee of that one."""

    @cached_property
    def refs(self) -> frozenset[Ref]:
        return frozenset(foreign.ref for foreign in self.workloads)

    def lets_in(self, call: Call) -> bool:
        """Whether all of a call is admitted there: a row here without one there opens nothing."""
        said = [one for one in self.admits if (one.caller, one.target) == (call.caller, call.target)]
        given = [operation for one in said for operation in one.operations]
        connects = not call.connects or any(one.connects for one in said)
        return connects and all(any(wide.covers(one) for wide in given) for one in call.operations)

    def breaches(self, place: Place) -> Iterator[Breach]:
        """What may stand in another's graph stands in a graph of our own: nothing but names of their forms."""
        if not is_label(self.name):
            yield Breach(place, f"{self.name!r} is not a name for an App", AGAIN)
        if not is_trust_domain(self.trust_domain):
            yield Breach(place, f"{self.trust_domain!r} is not a SPIFFE trust domain", AGAIN)
        for name in self.namespaces:
            if not is_label(name, MAX_LABEL) or name in d.RESERVED_NAMESPACES or name.startswith("kube-"):
                yield Breach(place, f"{name!r} is no namespace of an App", AGAIN)
        for foreign in self.workloads:
            yield from self._workload(place, foreign)
        for call in self.admits:
            yield from call.breaches(place)
            if call.callee not in self.refs or call.caller.namespace in self.namespaces:
                yield Breach(place, f"'{call.caller}' at '{call.callee}' is no call between two Apps", AGAIN)

    def _workload(self, place: Place, foreign: Foreign) -> Iterator[Breach]:
        yield from named(place, "service", foreign.ref)
        if foreign.ref.namespace not in self.namespaces:
            yield Breach(place, f"'{foreign.ref}' is in no namespace of App '{self.name}'", AGAIN)
        for port, protocol in foreign.ports:
            yield from spoken(place, protocol)
            if port and not is_label(port, LONGEST):
                yield Breach(place, f"{port!r} is not a name of a port", AGAIN)
