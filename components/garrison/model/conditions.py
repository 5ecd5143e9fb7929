"""Conditions on a request: what is compared with what, as alternatives of comparisons that all hold.

The words are those of CEL (the Common Expression Language), which Envoy and services both evaluate; a graph has them as
values, never as text, so nothing that a program says can be read as another expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from garrison.model.breach import Breach, Place
from garrison.model.calls import Operation

Source = Literal["claim", "path", "query", "data", "text", "number"]
"""claim: of the verified token. path: a `{name}` of the operation. query: a parameter, said once. data: what the
service alone knows of the thing asked for. text, number: a constant of the program."""
Comparator = Literal["==", "!=", "<", "<=", ">", ">=", "in"]
PROXY: Final = ("claim", "path", "query", "text", "number")  # sources of which a proxy knows the value
KINDS: Final = {"path": "text", "query": "text", "text": "text", "number": "number"}  # of others only a request tells
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}(\.[A-Za-z_][A-Za-z0-9_-]{0,63}){0,4}")
NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")
MAX_TEXT: Final = 200


@dataclass(frozen=True, order=True)
class Term:
    """One side of a comparison: where its value comes from, and its name there (or the constant itself)."""

    source: Source
    name: str

    def __str__(self) -> str:
        return {"text": repr(self.name), "number": self.name}.get(self.source, f"{self.source}({self.name!r})")


@dataclass(frozen=True, order=True)
class Comparison:
    """Two terms and how they have to stand to each other; `in` asks for an element of a list."""

    left: Term
    comparator: Comparator
    right: Term

    def __str__(self) -> str:
        return f"{self.left} {self.comparator} {self.right}"

    @property
    def terms(self) -> tuple[Term, Term]:
        return self.left, self.right

    @property
    def in_proxy(self) -> bool:
        """Whether a proxy knows both sides."""
        return all(term.source in PROXY for term in self.terms)


Alternatives = tuple[tuple[Comparison, ...], ...]
"""One alternative has to hold, with all of its comparisons; without any, everything holds."""


def in_proxy(where: Alternatives) -> bool:
    """Whether a proxy can decide all of it."""
    return all(comparison.in_proxy for all_of in where for comparison in all_of)


def words(where: Alternatives) -> str:
    """The condition as a person reads it."""
    return " or ".join(" and ".join(map(str, all_of)) for all_of in where)


def breaches(place: Place, where: Alternatives, operation: Operation) -> Iterator[Breach]:
    for comparison in (one for all_of in where for one in all_of):
        for term in comparison.terms:
            yield from _term(place, term, operation)
        if comparison.comparator not in get_args(Comparator):
            remedy = f"use one of {', '.join(get_args(Comparator))}"
            yield Breach(place, f"{comparison.comparator!r} compares nothing", remedy)
        if {term.source for term in comparison.terms} <= {"text", "number"}:
            remedy = "compare with a claim, a part of the path, a query parameter or data"
            yield Breach(place, f"'{comparison}' is the same for every request", remedy)
        kinds = {KINDS.get(term.source) for term in comparison.terms}
        if kinds == {"text", "number"} and comparison.comparator != "in":
            remedy = "compare it with a text, or the number with a claim or with data"
            yield Breach(place, f"'{comparison}' never holds: paths and queries are text", remedy)
        if comparison.comparator == "in" and comparison.right.source not in ("claim", "data"):
            yield Breach(place, f"'{comparison}': {comparison.right} is no list", "look for it in a claim or in data")
    if any(not all_of for all_of in where):
        yield Breach(place, "an alternative without a comparison would let everybody in", "leave `where` out")


def _term(place: Place, term: Term, operation: Operation) -> Iterator[Breach]:
    if term.source not in get_args(Source):
        yield Breach(place, f"{term.source!r} is no source of a value", f"use one of {', '.join(get_args(Source))}")
    elif term.source == "number" and not NUMBER.fullmatch(term.name):
        yield Breach(place, f"{term.name!r} is not a number", "write digits, with at most six behind the point")
    elif term.source == "text" and (len(term.name) > MAX_TEXT or not term.name.isprintable()):
        yield Breach(place, f"a constant of {len(term.name)} letters", f"use at most {MAX_TEXT}, all printable")
    elif term.source in ("claim", "query", "data") and not NAME.fullmatch(term.name):
        remedy = "use letters, digits, '_' and '-', with dots between the names of a claim in a claim"
        yield Breach(place, f"{term.name!r} is not the name of a {term.source}", remedy)
    elif term.source == "path" and f"{{{term.name}}}" not in operation.path.split("/"):
        yield Breach(place, f"'{operation}' has no {{{term.name}}}", "name a parameter of the path")
