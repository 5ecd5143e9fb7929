"""Calls: who may perform which operations at whom."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Self, get_args

from garrison import defaults as d
from garrison.errors import did_you_mean
from garrison.manifest import variable
from garrison.model.breach import Breach, Place
from garrison.words import Ref

SEGMENT = re.compile(r"([A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\})")
MAX_PATH = 1024
Token = Literal["none", "forward"]


@dataclass(frozen=True, order=True)
class Operation:
    """An HTTP method and a path template (RFC 6570 level 1), such as `GET /items/{id}`."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """What a program says as one text; `breaches` has what is wrong with it."""
        method, _, path = text.partition(" ")
        return cls(method, path)

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path's parts, each variable as `{}`: what it is called does not matter to who may do what."""
        return tuple("{}" if part.startswith("{") else part for part in self.path.split("/")[1:])

    def covers(self, other: Operation) -> bool:
        """Whether whoever may do this may do `other`, itself a template or a plain request."""
        return self.meets(other) and all(mine in ("{}", theirs) for mine, theirs in self._pairs(other))

    def reaches(self, other: Operation) -> bool:
        """Whether a variable of this stands where `other` has a word of its own, in a request that is both."""
        return self.meets(other) and any(mine == "{}" != theirs for mine, theirs in self._pairs(other))

    def meets(self, other: Operation) -> bool:
        """Whether some request is both; a variable is one segment that is not empty."""
        if self.method != other.method or len(self.segments) != len(other.segments):
            return False
        return all(
            mine == theirs or (mine == "{}" and theirs != "") or (theirs == "{}" and mine != "")
            for mine, theirs in self._pairs(other)
        )

    def _pairs(self, other: Operation) -> Iterator[tuple[str, str]]:
        return zip(self.segments, other.segments, strict=True)

    def breaches(self, place: Place) -> Iterator[Breach]:
        text = str(self)
        if self.method not in d.METHODS:
            remedy = did_you_mean(self.method.upper(), d.METHODS, "use one of " + ", ".join(d.METHODS))
            yield Breach(place, f"{text!r} does not begin with an HTTP method", remedy)
        segments = self.path.removeprefix("/").split("/") if self.path != "/" else []
        if not self.path.startswith("/") or not all(SEGMENT.fullmatch(segment) for segment in segments):
            remedy = "write a path like '/items/{id}': plain segments or {names}, no wildcard, query or trailing slash"
            yield Breach(place, f"{text!r} has no valid path template", remedy)
        if any(segment in (".", "..") for segment in segments):
            yield Breach(place, f"{text!r} has a relative segment", "write the path that the callee serves")
        names = Counter(segment for segment in segments if segment.startswith("{"))
        if any(count > 1 for count in names.values()):
            yield Breach(place, f"{text!r} uses a parameter twice", "give each parameter a name of its own")
        if len(self.path) > MAX_PATH:
            yield Breach(place, f"a path of {len(self.path)} letters", f"use at most {MAX_PATH}")


@dataclass
class ByPath:
    """Operations of one method by their paths' segments: those that meet another are found without asking each."""

    here: list[Operation] = field(default_factory=list)
    below: dict[str, ByPath] = field(default_factory=dict)

    def add(self, operation: Operation) -> None:
        node = self
        for segment in operation.segments:
            node = node.below.setdefault(segment, ByPath())
        node.here.append(operation)

    def meeting(self, operation: Operation) -> Iterator[Operation]:
        """Those of which some request is this one, too: see `Operation.meets`."""
        nodes = [self]
        for segment in operation.segments:
            nodes = [below for node in nodes for below in node.at(segment)]
        for node in nodes:
            yield from node.here

    def at(self, segment: str) -> Iterator[ByPath]:
        """One step down: where this segment leads."""
        if segment == "{}":
            yield from (below for name, below in self.below.items() if name)
            return
        names = (segment, "{}") if segment else ("",)
        yield from (self.below[name] for name in names if name in self.below)


@dataclass(frozen=True, order=True)
class Call:
    """`caller` may perform `operations` at `callee`; nothing else passes between the two."""

    caller: Ref
    callee: Ref
    operations: tuple[Operation, ...]
    token: Token = "none"  # noqa: S105 a way to call
    """Whether the user's token goes with it, which the callee checks again."""

    @property
    def forwards(self) -> bool:
        """Whether the user's token goes with it."""
        return self.token == "forward"  # noqa: S105 a way to call

    @property
    def variable(self) -> str:
        """Where the caller's application finds the callee."""
        return url_variable(self.callee)

    def breaches(self, place: Place) -> Iterator[Breach]:
        if self.callee == self.caller:
            remedy = "remove the call; a service needs no leave to be itself"
            yield Breach(place, f"'{self.caller}' calls itself", remedy)
        if not self.operations:
            remedy = 'say which, such as "GET /items/{id}"; a call without operations would be a call to everything'
            yield Breach(place, f"the call from '{self.caller}' to '{self.callee}' names no operation", remedy)
        if self.token not in get_args(Token):
            yield Breach(place, f"token={self.token!r} is no way to call", 'use "forward" or "none"')
        for operation in self.operations:
            yield from operation.breaches(place)


def merged(calls: Iterable[Call]) -> Iterator[Call]:
    """One for each pair, with all the operations said about it."""
    pairs: dict[tuple[Ref, Ref], set[Operation]] = {}
    tokens: dict[tuple[Ref, Ref], Token] = {}
    for call in calls:
        pairs.setdefault((call.caller, call.callee), set()).update(call.operations)
        tokens[call.caller, call.callee] = call.token  # one for a pair: a law
    for (caller, callee), operations in pairs.items():
        yield Call(caller, callee, tuple(sorted(operations)), tokens[caller, callee])


def url_variable(callee: Ref) -> str:
    return f"{variable(callee.name)}_URL"
