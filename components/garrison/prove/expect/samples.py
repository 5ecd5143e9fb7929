"""Concrete requests for declared operations, and requests next to them that were never declared."""

from __future__ import annotations

import re
from collections.abc import Iterator

from garrison.defaults import METHODS
from garrison.model.graph import Call, Graph, Operation, Target
from garrison.words import Ref

TEMPLATE = re.compile(r"\{[^}]*\}")
ELSEWHERE = "garrison-probe"


def sample(operation: Operation) -> Operation:
    """The operation with `1` for every template variable."""
    return Operation(operation.method, TEMPLATE.sub("1", operation.path))


def covers(operation: Operation, concrete: Operation) -> bool:
    """Whether a declared operation permits a concrete request: a variable is one non-empty path segment."""
    return operation.covers(concrete)


def calls(graph: Graph, caller: Ref, target: Target) -> list[Call]:
    return [call for call in graph.calls_from.get(caller, ()) if call.target == target]


def declared(graph: Graph, caller: Ref, target: Target) -> tuple[Operation, ...]:
    return tuple(operation for call in calls(graph, caller, target) for operation in call.operations)


def forwards(graph: Graph, caller: Ref, target: Target) -> bool:
    """Whether the user's token goes with the caller's requests."""
    return any(call.forwards for call in calls(graph, caller, target))


def served(graph: Graph, target: Target) -> tuple[Operation, ...]:
    """Every operation somebody may perform at the callee, as concrete requests; `GET /` where there is none."""
    found = {sample(o) for call in graph.calls_to.get(target.ref, ()) if call.target == target for o in call.operations}
    if not target.port:
        found |= {sample(route.operation) for route in graph.routes_of.get(target.ref, ())}  # for the edge alone
    return tuple(sorted(found)) or (Operation("GET", "/"),)


def undeclared(graph: Graph, caller: Ref, target: Target) -> Iterator[Operation]:
    """Requests this caller may not make: those of other callers, another method, another path."""
    mine = declared(graph, caller, target)
    candidates = dict.fromkeys(served(graph, target))
    for operation in mine:
        concrete = sample(operation)
        candidates[Operation(concrete.method, f"{concrete.path.rstrip('/')}/{ELSEWHERE}")] = None
        others = (Operation(method, concrete.path) for method in reversed(METHODS))
        candidates |= dict.fromkeys([o for o in others if not _permitted(mine, o)][:1])
    for candidate in candidates:
        if not _permitted(mine, candidate):
            yield candidate


def _permitted(mine: tuple[Operation, ...], concrete: Operation) -> bool:
    return any(covers(operation, concrete) for operation in mine)
