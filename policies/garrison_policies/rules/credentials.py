"""Predicates over credentials, as `garrison.credentials` knows them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from garrison.credentials import (
    ABOUT,
    ANNOUNCES,
    BESIDE,
    HARMLESS,
    IDENTIFIES,
    LINE,
    LOGIN,
    NAME,
    OPTION,
    SWITCH,
    USER,
    VALUE,
)
from garrison_policies.language.expr import (
    All,
    Either,
    Is,
    Matches,
    Not,
    Path,
    Predicate,
    Present,
    Some,
    at,
    elements,
    get,
    literal,
    present,
)


@dataclass(frozen=True)
class Followed:
    """Somewhere in the list at `path` an element that satisfies `first` is followed by one that satisfies `second`."""

    path: Path
    first: Predicate
    second: Predicate

    def holds(self, it: Any, whole: Any) -> bool:
        found = elements(get(it, self.path))[:_ARGUMENTS]
        return any(self.first.holds(a, whole) and self.second.holds(b, whole) for a, b in pairwise(found))

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        here, place = at(it, self.path), f"i{depth}"
        first = self.first.cel(f"{here}[{place}]", whole, depth + 1)
        second = self.second.cel(f"{here}[{place} + 1]", whole, depth + 1)
        places = literal(list(range(_ARGUMENTS - 1)))  # CEL knows no ranges
        inside = f"{place} + 1 < size({here})"
        return f"({present(it, self.path)} && {places}.exists({place}, {inside} && {first} && {second}))"


_ARGUMENTS = 256


def named_value(name: Path, value: Path) -> Predicate:
    """A value under a name that announces a credential, or a credential under any name."""
    announced = Either(All(Matches(name, NAME), Not(Matches(name, ABOUT))), Matches(name, IDENTIFIES))
    given = All(Present(value), Not(Is(value, (False, True))), Not(Matches(value, HARMLESS)))
    return Either(All(announced, given), Matches(value, VALUE))


def in_arguments(path: Path) -> Predicate:
    """The list of a command's arguments at `path` carries a credential."""
    value = Not(Either(Matches("", HARMLESS), Matches("", BESIDE)))
    announced = All(Matches("", ANNOUNCES), Not(Matches("", SWITCH)))
    return Either(
        Some(path, Either(Matches("", OPTION), Matches("", LINE), Matches("", VALUE))),
        Followed(path, announced, value),
        Followed(path, Matches("", USER), Matches("", LOGIN)),
    )
