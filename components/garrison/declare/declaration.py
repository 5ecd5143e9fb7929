"""From what was said to a graph, or to every problem at its line of the program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from garrison.collecting import uncollected
from garrison.declare.statements import Statement
from garrison.errors import IntentError, Problem
from garrison.model.breach import Place
from garrison.model.graph import Graph
from garrison.model.laws import breaches
from garrison.model.parts import Parts
from garrison.model.shape import misfits


@dataclass(frozen=True)
class Declaration:
    """Everything that a program said, and where."""

    where: str
    name: str
    trust_domain: str
    images: Mapping[str, str]
    statements: tuple[Statement, ...]


def problems(declaration: Declaration) -> list[Problem]:
    """Every problem, in the order of the program: values of a wrong type, or else the laws that do not hold."""
    found = _misfits(declaration)
    if not found:
        lines = _lines(declaration)

        def where(place: Place) -> str:
            return lines[place[0]][place[1]] if place[0] in lines else declaration.where

        found = [breach.problem(where) for breach in breaches(Parts(**_fields(declaration)))]
    return _in_order(found)


@uncollected
def freeze(declaration: Declaration) -> Graph:
    """The graph of a declaration; raises IntentError with all problems at once."""
    if found := _misfits(declaration):
        raise IntentError(_in_order(found))
    try:
        return Graph(**_fields(declaration))
    except IntentError:  # it names fields; whoever writes a program thinks in lines
        raise IntentError(problems(declaration)) from None


def _misfits(declaration: Declaration) -> list[Problem]:
    everything: tuple[Declaration | Statement, ...] = (declaration, *declaration.statements)
    return [problem for said in everything for problem in misfits(said, said.where)]


def _fields(declaration: Declaration) -> dict[str, Any]:
    """The fields of a graph, a row for each statement."""
    rows: dict[str, list[Any]] = {}
    for statement in declaration.statements:
        rows.setdefault(statement.row, []).append(statement.value())
    return {
        "name": declaration.name,
        "trust_domain": declaration.trust_domain,
        "images": tuple(sorted(declaration.images.items())),
        **{row: tuple(values) for row, values in rows.items()},
    }


def _lines(declaration: Declaration) -> dict[str, list[str]]:
    """Where each row was said."""
    lines: dict[str, list[str]] = {}
    for statement in declaration.statements:
        lines.setdefault(statement.row, []).append(statement.where)
    return lines


def _in_order(found: Iterable[Problem]) -> list[Problem]:
    return sorted(set(found), key=lambda problem: (_position(problem.where), problem))


def _position(where: str) -> tuple[str, int]:
    file, _, line = where.rpartition(":")
    return file, int(line) if line.isdigit() else 0
