"""Saying on what a request depends: `claim("customer") == path("id")`, joined by `&` and `|`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from garrison.model.conditions import Alternatives, Comparator, Comparison, Source
from garrison.model.conditions import Term as Value


@dataclass(frozen=True)
class Condition:
    """What `where=` takes. `one & other` needs both, `one | other` either."""

    alternatives: Alternatives

    def __and__(self, other: Condition) -> Condition:
        return Condition(tuple((*one, *two) for one in self.alternatives for two in other.alternatives))

    def __or__(self, other: Condition) -> Condition:
        return Condition((*self.alternatives, *other.alternatives))

    def __bool__(self) -> bool:
        """Raises TypeError: `and`, `or` and `not` of Python would drop a part of it without a word."""
        raise TypeError("join conditions with & and |, each comparison in parentheses")


class Term:
    """One side of a comparison. It is compared, never asked: `==` makes a `Condition`."""

    def __init__(self, source: Source, name: str) -> None:
        self._value = Value(source, name)

    __hash__ = None  # type: ignore[assignment]  # `==` does not say whether two are the same

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("==", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]
        return self._compared("!=", other)

    def __lt__(self, other: object) -> Condition:
        return self._compared("<", other)

    def __le__(self, other: object) -> Condition:
        return self._compared("<=", other)

    def __gt__(self, other: object) -> Condition:
        return self._compared(">", other)

    def __ge__(self, other: object) -> Condition:
        return self._compared(">=", other)

    def contains(self, element: object) -> Condition:
        """Whether this, a list, has the element: `claim("groups").contains("claims-managers")`."""
        return Condition(((Comparison(_value(element), "in", self._value),),))

    def _compared(self, comparator: Comparator, other: object) -> Condition:
        return Condition(((Comparison(self._value, comparator, _value(other)),),))


def _value(said: Any) -> Value:
    """A constant is what it is; whether that makes a comparison is a law."""
    if isinstance(said, Term):
        return said._value  # noqa: SLF001 the same module
    if isinstance(said, int | float) and not isinstance(said, bool):
        return Value("number", str(said))
    return Value("text", said)


def claim(name: str) -> Term:
    """A claim of the verified token (RFC 7519), dots for a claim in a claim: `claim("address.country")`."""
    return Term("claim", name)


def path(name: str) -> Term:
    """What stands for `{name}` in the operation's path."""
    return Term("path", name)


def query(name: str) -> Term:
    """A query parameter; the condition holds only where it is there once."""
    return Term("query", name)


def data(name: str) -> Term:
    """What the service alone knows of the thing asked for: the service decides then, by the same expression."""
    return Term("data", name)
