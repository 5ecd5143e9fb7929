"""Requests that a route's condition admits, or does not: its comparisons solved, and evaluated again as a check.

The evaluation is this module's own, of the values that a graph has; what decides on a cluster is Envoy's CEL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import eq, ge, gt, le, lt, ne
from types import MappingProxyType
from typing import Any

from garrison.model.conditions import Alternatives, Comparator, Comparison, Term
from garrison.prove.trials import Claim

Value = str | float | list[Any] | None
SAMPLE = "garrison-probe"
OTHER = "garrison-other"
COMPARED = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
FLIPPED: dict[str, Comparator] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Bound:
    """Where the values of a request come from."""

    claims: dict[str, Any] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)


def claims_for(where: Alternatives, start: Mapping[str, str]) -> tuple[tuple[str, Claim], ...]:
    """Claims with which a request fulfils the condition, by dotted name; lists have the one element it asks for."""
    bound = solve(where, None, start)
    return tuple(sorted(_flat(bound.claims))) if bound else ()


def nested(claims: Iterable[tuple[str, Claim]]) -> dict[str, Any]:
    """Claims as a token has them."""
    found: dict[str, Any] = {}
    for name, value in claims:
        *parents, last = name.split(".")
        target = found
        for parent in parents:
            target = target.setdefault(parent, {})
        target[last] = list(value) if isinstance(value, tuple) else value
    return found


def _flat(claims: Mapping[str, Any], stem: str = "") -> Iterator[tuple[str, Claim]]:
    for name, value in claims.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{stem}{name}.")
        else:
            yield f"{stem}{name}", tuple(value) if isinstance(value, list) else value


def solve(
    where: Alternatives, payload: Mapping[str, Any] | None, start: Mapping[str, str] = MappingProxyType({})
) -> Bound | None:
    """A request that the condition admits: for the bearer of a token, or for one who may choose the claims.

    start: variables of the path that have a value already.
    """
    for all_of in where or ((),):
        bound = Bound(path=dict(start))
        for term in dict.fromkeys(term for one in all_of for term in one.terms if _is_free(term, payload)):
            _between_constants(term, all_of, bound, payload)
        for comparison in sorted(all_of, key=_constants_first):
            _satisfy(comparison, bound, payload)
        if holds((all_of,) if all_of else (), dict(bound.claims) if payload is None else payload, bound):
            return bound
    return None


def against(where: Alternatives, payload: Mapping[str, Any]) -> Bound | None:
    """A request of the bearer of a token that the condition does not admit; None where it admits every one."""
    good = solve(where, payload) or Bound()
    terms = [term for all_of in where for one in all_of for term in one.terms]
    for value in (OTHER, "0", "1000000000"):
        bound = Bound(
            path={**good.path, **{t.name: value for t in terms if t.source == "path"}},
            query={**good.query, **{t.name: value for t in terms if t.source == "query"}},
        )
        if not holds(where, payload, bound):
            return bound
    return None


def holds(where: Alternatives, payload: Mapping[str, Any], bound: Bound) -> bool:
    """Whether the condition admits the request; a comparison with something that is not there never holds."""
    return not where or any(all(_compare(one, payload, bound) for one in all_of) for all_of in where)


def proxied(where: Alternatives) -> Alternatives:
    """What of a condition proxies decide: a part that needs data is left to the service, and an alternative of nothing
    else leaves all of it to the service.
    """
    known = tuple(tuple(one for one in all_of if one.in_proxy) for all_of in where)
    return known if all(known) else ()


def _is_free(term: Term, payload: Mapping[str, Any] | None) -> bool:
    """Whether a request may say it as it likes."""
    return term.source in ("path", "query") or (term.source == "claim" and payload is None)


def _between_constants(
    term: Term, all_of: Iterable[Comparison], bound: Bound, payload: Mapping[str, Any] | None
) -> None:
    """A value that stands to every constant as it has to: they may leave little room together."""
    mine = [one for one in all_of if term in one.terms and {t.source for t in one.terms} & {"text", "number"}]
    constants = [_value(t, payload, bound) for one in mine for t in one.terms if t != term and one.comparator != "in"]
    for value in (v for c in constants for v in (c, *(_beside(c, comparator) for comparator in FLIPPED))):
        tried = Bound()
        _bind(term, value, tried, payload)
        if mine and all(_compare(one, tried.claims if payload is None else payload, tried) for one in mine):
            _bind(term, value, bound, payload)
            return


def _constants_first(comparison: Comparison) -> bool:
    return not any(term.source in ("text", "number") for term in comparison.terms)


def _satisfy(comparison: Comparison, bound: Bound, payload: Mapping[str, Any] | None) -> None:
    left, right, comparator = comparison.left, comparison.right, comparison.comparator
    if comparator == "in":
        element = _value(left, payload, bound)
        if element is None:
            listed = _value(right, payload, bound)
            _bind(left, listed[0] if isinstance(listed, list) and listed else SAMPLE, bound, payload)
            element = _value(left, payload, bound)
        _bind(right, [element], bound, payload)
        return
    if _value(right, payload, bound) is None and _value(left, payload, bound) is not None:
        left, right, comparator = right, left, FLIPPED[comparator]
    if _value(right, payload, bound) is None:
        _bind(right, SAMPLE, bound, payload)
    _bind(left, _beside(_value(right, payload, bound), comparator), bound, payload)


def _beside(value: Value, comparator: str) -> Value:
    """Something that stands to a value as asked."""
    if comparator in ("==", "<=", ">="):
        return value
    if isinstance(value, float):
        return value + (-1 if comparator == "<" else 1)
    return OTHER if comparator == "!=" else f"{value}~" if comparator == ">" else ""


def _bind(term: Term, value: Value, bound: Bound, payload: Mapping[str, Any] | None) -> None:
    """Give a part of the request its value, unless it has one."""
    if term.source == "claim" and payload is None:
        target: dict[str, Any] = bound.claims
        *parents, name = term.name.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
        target.setdefault(name, value)
    elif term.source in ("path", "query"):
        places = bound.path if term.source == "path" else bound.query
        places.setdefault(term.name, _text(value))


def _value(term: Term, payload: Mapping[str, Any] | None, bound: Bound) -> Any:
    match term.source:
        case "text":
            return term.name
        case "number":
            return float(term.name)
        case "path":
            return bound.path.get(term.name)
        case "query":
            return bound.query.get(term.name)
        case "claim":
            return _claim(bound.claims if payload is None else payload, term.name)
        case _:
            return None


def _claim(payload: Mapping[str, Any], name: str) -> Any:
    found: Any = payload
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int) and not isinstance(found, bool) else found


def _compare(one: Comparison, payload: Mapping[str, Any], bound: Bound) -> bool:
    left, right = (_value(term, payload, bound) for term in one.terms)
    if left is None or right is None:
        return False
    if one.comparator == "in":
        return isinstance(right, list) and left in right
    if type(left) is not type(right):
        return False
    return bool(COMPARED[one.comparator](left, right))


def _text(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def filled(path: str, values: Mapping[str, str]) -> str:
    """A path template with its variables given; what nobody gave is `1`."""
    return "/".join(_segment(part, values) for part in path.split("/"))


def _segment(part: str, values: Mapping[str, str]) -> str:
    return values.get(part[1:-1], "1") if part.startswith("{") else part


def variables(path: str) -> Iterator[str]:
    return (part[1:-1] for part in path.split("/") if part.startswith("{"))
