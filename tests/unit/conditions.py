"""Conditions read by hand, once more and in another way than CEL: what the evaluators have to agree with."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from garrison.model.calls import Operation
from garrison.model.conditions import Alternatives, Comparator, Comparison, Source, Term, breaches

OPERATION = Operation("GET", "/things/{id}/{part}")
ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Request:
    path: str = "/things/x/y"
    query: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)


def holds(where: Alternatives, request: Request) -> bool:
    return any(all(_compared(one, request) for one in all_of) for all_of in where)


def _compared(one: Comparison, request: Request) -> bool:
    left, right = _value(one.left, request), _value(one.right, request)
    if left is None or right is None:
        return False
    if one.comparator == "in":
        return isinstance(right, list) and any(_same(left, element) for element in right)
    if _kind(left) != _kind(right):
        return False
    if one.comparator in ("==", "!="):
        return _same(left, right) == (one.comparator == "==")
    return _kind(left) in ("text", "number", "truth") and ORDER[one.comparator](left, right)


def _value(term: Term, request: Request) -> Any:
    """None is what nobody said."""
    if term.source == "text":
        return term.name
    if term.source == "number":
        return float(term.name)
    if term.source == "path":
        part = request.path.split("/")[OPERATION.path.split("/").index(f"{{{term.name}}}")]
        return None if "%" in part else part
    if term.source == "query":
        return _parameter(term.name, request.query)
    found: Any = request.claims if term.source == "claim" else request.data
    for key in term.name.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _parameter(name: str, query: str) -> str | None:
    if any(letter in query for letter in '%+;[]"\\{}|^` ') or not query.isascii():
        return None
    said = [part.split("=", 1) for part in query.split("&") if part.split("=")[0].lower() == name.lower()]
    return said[0][1] if len(said) == 1 and said[0][0] == name and len(said[0]) == 2 else None


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    return {str: "text", int: "number", float: "number", list: "list", dict: "object"}[type(value)]


def _same(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    if _kind(one) != _kind(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


# --- what is drawn: few values, so that they meet ---------------------------------------------------------------------

VALUES: tuple[Any, ...] = (
    *("x", "y", "X", "3", "", "é", "😀", "%C3%A9", 3, 3.0, 2.5, -1, 0, 1e15, True, False, None),
    *([], ["x", 3], ["y", None, True], [["x"]], {}, {"x": 1}, {"x": "x", "y": None}),
)
CONSTANTS: tuple[tuple[Source, str], ...] = (
    *(("text", text) for text in ("x", "y", "3", "é", "", '"', "\\", "'", "😀", "%C3%A9")),
    *(("number", number) for number in ("3", "3.0", "2.5", "-1", "0", "0.000001", "999999999999999")),
)
COMPARATORS: tuple[Comparator, ...] = ("==", "==", "!=", "<", "<=", ">", ">=", "in")
NAMES = {
    "claim": ("a", "b", "c.x", "c.x.y", "d-e"),
    "data": ("a", "b", "c.x"),
    "path": ("id", "part"),
    "query": ("q", "a-b", "Q_"),
}
PATHS = ("/things/x/y", "/things/3/x", "/things/y/y", "/things/%C3%A9/x", "/things/x/%21", "/things/a&q=x/x")
QUERIES = (
    *("", "q=x", "q=y", "q=3", "q=x&q=x", "q=x&q=y", "qq=y&q=x", "q", "q=", "q=x&q", "Q=y&q=x", "q=%78", "q=x;q=y"),
    *("a-b=x&q=y", "a-b=x", "q=x=x", "q=x&a=?q=y", "q[]=x&q=x", "Q_=x&q=x", "q=x+", "&q=x&", "xq=x"),
)


def condition(pick: random.Random, meant: Request, *, data: bool = True) -> Alternatives:
    """Mostly of comparisons that hold for the request that is meant: drawn blindly, one in thirty would."""
    return tuple(
        tuple(_apt(pick, meant, data) for _ in range(pick.randint(1, 3))) for _ in range(pick.choice((1, 1, 2)))
    )


def _apt(pick: random.Random, meant: Request, data: bool) -> Comparison:
    drawn = [_comparison(pick, data) for _ in range(40)]
    apt = [one for one in drawn if holds(((one,),), meant)]
    return apt[0] if apt and pick.random() < 0.8 else drawn[0]


def _comparison(pick: random.Random, data: bool) -> Comparison:
    while [*breaches(("test", 0), ((one := _drawn(pick, data),),), OPERATION)]:
        pass
    return one


def _drawn(pick: random.Random, data: bool) -> Comparison:
    sources = ["claim", "claim", "path", "query", *(["data"] if data else [])]
    one = _term(pick, pick.choice(sources))
    other = Term(*pick.choice(CONSTANTS)) if pick.random() < 0.4 else _term(pick, pick.choice(sources))
    comparator: Comparator = pick.choice(COMPARATORS)
    if comparator == "in":
        return Comparison(other, "in", _term(pick, pick.choice(["claim", *(["data"] if data else [])])))
    return Comparison(one, comparator, other) if pick.random() < 0.7 else Comparison(other, comparator, one)


def _term(pick: random.Random, source: Any) -> Term:
    return Term(source, pick.choice(NAMES[source]))


def request(pick: random.Random) -> Request:
    return Request(pick.choice(PATHS), pick.choice(QUERIES), _object(pick), _object(pick))


def _object(pick: random.Random) -> dict[str, Any]:
    said = {name: pick.choice(VALUES) for name in ("a", "b", "d-e", "c.x") if pick.random() < 0.7}
    if pick.random() < 0.7:
        said["c"] = pick.choice(({"x": pick.choice(VALUES)}, {"x": {"y": pick.choice(VALUES)}}, pick.choice(VALUES)))
    return said
