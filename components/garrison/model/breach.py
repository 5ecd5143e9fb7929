"""One law that does not hold: where among the parts, what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from garrison.errors import Problem

Place = tuple[str, int]  # a field of the graph, and which of its rows; 0 where the field has none


@dataclass(frozen=True, order=True)
class Breach:
    """`also` is the other place, where two do not go together."""

    place: Place
    what: str
    remedy: str
    also: Place | None = None

    def problem(self, where: Callable[[Place], str]) -> Problem:
        """The same for a reader who knows places as lines of a program, or as fields of a file."""
        what = f"{self.what} (see {where(self.also)})" if self.also else self.what
        return Problem(where(self.place), what, self.remedy)
