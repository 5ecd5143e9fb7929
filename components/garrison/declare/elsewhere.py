"""Saying who of another App on the same cluster calls, and is called.

Both programs say the same sentence, `caller.calls(callee, "POST /charges")`, each with one end that is elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrison.declare.calls import Port, Says
from garrison.declare.statements import Pen, Speaker, Statement, beside, verb, where
from garrison.declare.written import graph_in
from garrison.errors import IntentError, Problem, did_you_mean
from garrison.model import elsewhere as model
from garrison.model.graph import Graph
from garrison.words import Ref

AGAIN = "write it there: garrison graph --format json > graph.json"


@dataclass(frozen=True)
class ElsewhereStatement(Statement):
    row = "elsewhere"
    other: model.Elsewhere

    def value(self) -> model.Elsewhere:
        return self.other


class Foreign(Says):
    """A service or job of another App, as either end of a call; the other end is of this one."""

    @verb
    def calls(self, callee: Speaker | Port | str, *operations: str, timeout: int | None = None) -> None:
        """Let it call `callee`, a service of this App: the callee's half. The caller's program says the same of it.

        `timeout` is in seconds, as long as the caller waits for an answer.
        """
        self._say(callee, operations, timeout=timeout)

    @verb
    def connects(self, callee: Speaker | Port | str) -> None:
        """Let it speak TCP with `callee`, a port of this App with `protocol="tcp"`."""
        self._say(callee, (), connects=True)

    @verb
    def port(self, name: str) -> Port:
        """A further port that it has, as a callee."""
        return Port(self.ref, name)


@dataclass(frozen=True)
class Elsewhere:
    """Another App, as its graph was written."""

    name: str
    _graph: Graph
    _pen: Pen

    @verb
    def service(self, name: str) -> Foreign:
        """A service of that App, as `"bank/payments"`."""
        return self._found("service", name, [service.ref for service in self._graph.services])

    @verb
    def job(self, name: str) -> Foreign:
        """A job of that App, which calls, and which nobody calls."""
        return self._found("job", name, [*self._graph.job_by_ref])

    def _found(self, kind: str, name: str, known: list[Ref]) -> Foreign:
        found = {str(ref): ref for ref in known}
        if name not in found:
            remedy = did_you_mean(str(name), found, f"it has {', '.join(found) or 'none'}; {AGAIN}")
            raise IntentError([Problem(where(), f"App '{self.name}' has no {kind} {name!r}", remedy)])
        return Foreign(found[name], self._pen)


class Others(Pen):
    name: str

    @verb
    def elsewhere(self, graph: str | Path | Graph) -> Elsewhere:
        """Another App on the same cluster, from its graph: what `garrison graph --format json` or its stack wrote.

        `app.elsewhere("bank.json").service("bank/payments")` is a callee, and a caller of what is here. A path that is
        a text is beside the program. Nothing of the other App is made or changed from here.
        """
        there = graph if isinstance(graph, Graph) else _read(graph)
        self.add(ElsewhereStatement(where(), seen(there, self.name)))
        return Elsewhere(there.name, there, self)


def seen(there: Graph, by: str) -> model.Elsewhere:
    """What an App of that name has to know of another's graph."""
    mine = {ref for other in there.elsewhere if other.name == by for ref in other.refs}
    numbers = {ref: there.numbers_of(ref) for ref in there.by_ref}
    ports = {
        ref: tuple((name, there.protocols[Port(ref, name).target]) for name in named) for ref, named in numbers.items()
    }
    workloads = tuple(sorted(model.Foreign(one.ref, ports.get(one.ref, ())) for one in there.workloads))
    admits = tuple(call for call in there.calls if call.caller in mine and call.callee in there.by_ref)
    return model.Elsewhere(there.name, there.trust_domain, tuple(sorted(there.spaces)), workloads, admits)


def _read(path: Any) -> Graph:
    """One problem at the program's line for whatever is wrong with the file."""
    if not isinstance(path, str | Path):
        raise IntentError([Problem(where(), f"elsewhere({path!r}) is neither a file nor a Graph", AGAIN)])
    try:
        return graph_in(beside(path).read_text(encoding="utf-8"))
    except IntentError as error:
        first, more = error.problems[0], len(error.problems) - 1
        also = f", and {more} more" if more else ""
        what = f"{path} does not hold together: {first.where}: {first.what}{also}"
    except OSError as error:
        what = f"{path} cannot be read: {error.strerror}"
    except ValueError as error:
        what = f"{path} is no graph: {error}"
    raise IntentError([Problem(where(), what, AGAIN)])
