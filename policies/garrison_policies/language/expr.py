"""Predicates over parts of a Kubernetes object: one value, two readings.

A predicate is evaluated here, in Python (`holds`), and written as CEL for the API server (`cel`), from
the same value. That both give the same verdict on every fixture is a test (tests/policies/test_cel.py).

A path such as ``"securityContext.privileged"`` is relative to the part a rule looks at. A path through a
missing field, or a field that is null, is absent (the API server drops nulls); comparisons with what is
absent are false unless `absent=True` says otherwise. Keys with dots are given as a tuple of parts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

Path = str | tuple[str, ...]
MISSING: Final = object()
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_END = re.compile(r"(?<!\\)\$")


class Predicate(Protocol):
    """Something that holds for a part of an object, or does not."""

    def holds(self, it: Any, whole: Any) -> bool:
        """Whether it holds for `it`, a part of `whole` (the pod template, or the object)."""

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        """The same in CEL, where `it` and `whole` are expressions; `depth` names nested variables."""


@lru_cache(maxsize=4096)
def parts(path: Path) -> tuple[str, ...]:
    """The keys of a path; the empty path is the part itself."""
    if isinstance(path, tuple):
        return path
    return tuple(path.split(".")) if path else ()


def get(value: Any, path: Path) -> Any:
    """What stands at `path`, or MISSING."""
    for key in parts(path):
        if not isinstance(value, Mapping):
            return MISSING
        value = value.get(key)
        if value is None:
            return MISSING
    return value


@lru_cache(maxsize=1024)
def regex(pattern: str) -> re.Pattern[str]:
    """The pattern as RE2 reads it: `$` is the end of the text, not the place before a last newline."""
    return re.compile(_END.sub(r"\\Z", pattern))


def literal(value: Any) -> str:
    """A CEL literal."""
    return json.dumps(value)


def field(it: str, key: str) -> str:
    return f"{it}.{key}" if _NAME.match(key) else f"{it}[{literal(key)}]"


def present(it: str, path: Path) -> str:
    """CEL that is true when everything on the way exists; empty for the part itself."""
    steps = []
    for key in parts(path):
        steps.append(f"has({it}.{key})" if _NAME.match(key) else f"{literal(key)} in {it}")
        it = field(it, key)
    return " && ".join(steps)


def at(it: str, path: Path) -> str:
    for key in parts(path):
        it = field(it, key)
    return it


def _guarded(it: str, path: Path, test: str, absent: bool) -> str:
    exists = present(it, path)
    if not exists:
        return test
    return f"(!({exists}) || {test})" if absent else f"({exists} && {test})"


@dataclass(frozen=True)
class Present:
    """The field is there (and not null)."""

    path: Path

    def holds(self, it: Any, whole: Any) -> bool:
        return get(it, self.path) is not MISSING

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        return f"({present(it, self.path)})" if parts(self.path) else "true"


@dataclass(frozen=True)
class Is:
    """The field has one of `values`."""

    path: Path
    values: tuple[Any, ...]
    absent: bool = False

    def holds(self, it: Any, whole: Any) -> bool:
        found = get(it, self.path)
        if found is MISSING:
            return self.absent
        return any(found == value and isinstance(found, bool) == isinstance(value, bool) for value in self.values)

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        here = at(it, self.path)
        if len(self.values) > 1 and all(isinstance(value, str) for value in self.values):
            test = f"{here} in {literal(list(self.values))}"
        else:  # the API server's lists are of one type
            test = " || ".join(f"{here} == {literal(value)}" for value in self.values)
            test = f"({test})" if len(self.values) > 1 else test
        return _guarded(it, self.path, test, self.absent)


@dataclass(frozen=True)
class Matches:
    """The field is a string in which the regular expression is found.

    Patterns keep to what RE2 and Python read alike: no lookaround, flags in front, `[0-9]` for digits.
    """

    path: Path
    pattern: str
    absent: bool = False

    def holds(self, it: Any, whole: Any) -> bool:
        found = get(it, self.path)
        if found is MISSING:
            return self.absent
        return isinstance(found, str) and regex(self.pattern).search(found) is not None

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        here = at(it, self.path)
        test = f"(type({here}) == string && {here}.matches({literal(self.pattern)}))"
        return _guarded(it, self.path, test, self.absent)


@dataclass(frozen=True)
class Between:
    """The field is a number from `low` to `high`, both included."""

    path: Path
    low: int
    high: int = 2**62
    absent: bool = False

    def holds(self, it: Any, whole: Any) -> bool:
        found = get(it, self.path)
        if found is MISSING:
            return self.absent
        return isinstance(found, int | float) and not isinstance(found, bool) and self.low <= found <= self.high

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        here = at(it, self.path)
        test = f"((type({here}) == int || type({here}) == double) && {here} >= {self.low} && {here} <= {self.high})"
        return _guarded(it, self.path, test, self.absent)


@dataclass(frozen=True)
class Every:
    """All elements of the list at `path` satisfy `test`; an absent list has none."""

    path: Path
    test: Predicate

    def holds(self, it: Any, whole: Any) -> bool:
        return all(self.test.holds(one, whole) for one in elements(get(it, self.path)))

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        one = f"e{depth}"
        test = f"{at(it, self.path)}.all({one}, {self.test.cel(one, whole, depth + 1)})"
        return _guarded(it, self.path, test, absent=True)


@dataclass(frozen=True)
class Some:
    """At least one element of the list at `path` satisfies `test`."""

    path: Path
    test: Predicate

    def holds(self, it: Any, whole: Any) -> bool:
        return any(self.test.holds(one, whole) for one in elements(get(it, self.path)))

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        one = f"e{depth}"
        test = f"{at(it, self.path)}.exists({one}, {self.test.cel(one, whole, depth + 1)})"
        return _guarded(it, self.path, test, absent=False)


@dataclass(frozen=True)
class Entries:
    """Of the map at `path`, all values whose key matches `key` satisfy `test`; with `test` None no key may match."""

    path: Path
    key: str
    test: Predicate | None = None

    def holds(self, it: Any, whole: Any) -> bool:
        found = get(it, self.path)
        if not isinstance(found, Mapping):
            return True
        chosen = [value for key, value in found.items() if regex(self.key).search(str(key))]
        return not chosen if self.test is None else all(self.test.holds(value, whole) for value in chosen)

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        one, here = f"e{depth}", at(it, self.path)
        missed = f"!{one}.matches({literal(self.key)})"
        if self.test is not None:
            missed = f"{missed} || {self.test.cel(f'{here}[{one}]', whole, depth + 1)}"
        return _guarded(it, self.path, f"{here}.all({one}, {missed})", absent=True)


@dataclass(frozen=True)
class OnlyKeys:
    """The map at `path` has no other keys than `keys`. For what is new upstream: unknown is not allowed."""

    path: Path
    keys: tuple[str, ...]

    def holds(self, it: Any, whole: Any) -> bool:
        found = get(it, self.path)
        return not isinstance(found, Mapping) or set(found) <= set(self.keys)

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        # dyn(): the API server knows the type of `it`, and its type check iterates over maps only.
        test = f"dyn({at(it, self.path)}).all(e{depth}, e{depth} in {literal(list(self.keys))})"
        return _guarded(it, self.path, test, absent=True)


@dataclass(frozen=True)
class Not:
    test: Predicate

    def holds(self, it: Any, whole: Any) -> bool:
        return not self.test.holds(it, whole)

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        return f"!({self.test.cel(it, whole, depth)})"


@dataclass(frozen=True, init=False)
class _Several:
    tests: tuple[Predicate, ...]

    def __init__(self, *tests: Predicate) -> None:
        object.__setattr__(self, "tests", tests)


class All(_Several):
    """All of them hold."""

    def holds(self, it: Any, whole: Any) -> bool:
        return all(test.holds(it, whole) for test in self.tests)

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        return f"({' && '.join(test.cel(it, whole, depth) for test in self.tests)})"


class Either(_Several):
    """At least one of them holds."""

    def holds(self, it: Any, whole: Any) -> bool:
        return any(test.holds(it, whole) for test in self.tests)

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        return f"({' || '.join(test.cel(it, whole, depth) for test in self.tests)})"


@dataclass(frozen=True)
class Whole:
    """`test` holds for the whole: what a container inherits from its pod."""

    test: Predicate

    def holds(self, it: Any, whole: Any) -> bool:
        return self.test.holds(whole, whole)

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        return self.test.cel(whole, whole, depth)


def elements(found: Any) -> Sequence[Any]:
    """The elements of a list; none of what is something else, or is not there."""
    return found if isinstance(found, Sequence) and not isinstance(found, str) else ()
