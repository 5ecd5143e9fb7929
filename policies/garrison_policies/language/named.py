"""Predicates of names: what an object may be called in terms of its own namespace and name, and how often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from garrison_policies.language.expr import Matches, Path, Present, at, get, literal


@dataclass(frozen=True)
class Own:
    """The text matches `pattern` and ends in one of `ends`, where {namespace} and {name} are the object's own."""

    pattern: str
    ends: tuple[str, ...]

    def holds(self, it: Any, whole: Any) -> bool:
        words = {key: get(whole, f"metadata.{key}") for key in ("namespace", "name")}
        if not isinstance(words["namespace"], str):
            return True  # left to whoever applies the file
        return Matches("", self.pattern).holds(it, whole) and any(it.endswith(end.format(**words)) for end in self.ends)

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        ends = " || ".join(f"{it}.endsWith({_joined(end, whole)})" for end in self.ends)
        return f"({Matches('', self.pattern).cel(it, whole)} && ({ends}))"


def _joined(end: str, whole: str) -> str:
    """The end as CEL, with its own names in it."""
    words = {f"{{{key}}}": f"{at(whole, 'metadata')}.{key}" for key in ("namespace", "name")}
    pieces, rest = [], end
    while rest:
        place = min((rest.find(word) for word in words if word in rest), default=len(rest))
        pieces += [literal(rest[:place])] if place else []
        word = next((word for word in words if rest.startswith(word, place)), "")
        pieces += [words[word]] if word else []
        rest = rest[place + len(word) :]
    return " + ".join(pieces)


@dataclass(frozen=True)
class AtMost:
    """The list at `path` has no more than `count` elements."""

    path: Path
    count: int

    def holds(self, it: Any, whole: Any) -> bool:
        found = get(it, self.path)
        return not isinstance(found, list) or len(found) <= self.count

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        return f"(!({Present(self.path).cel(it, whole)}) || size({at(it, self.path)}) <= {self.count})"
