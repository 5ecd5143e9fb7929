"""Calls: who may perform which operations at whom."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, Self, get_args

from garrison import defaults as d
from garrison.errors import did_you_mean
from garrison.model.breach import Breach, Place
from garrison.model.texts import LABEL, MAX_LABEL, Pairs, named_variable, places
from garrison.words import Ref

SEGMENT = re.compile(r"([A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\})")
REST = re.compile(r"\{[a-z][a-z0-9_]*\.\.\.\}")
ONE, ALL = "{}", "{...}"  # a variable among `segments`: one segment, or all that are left
GRPC = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*/[A-Za-z_][A-Za-z0-9_]*")  # package.Service/Method
MAX_PATH = 1024
MAX_SECONDS = 3600
MAX_HOST = 253
MAX_PORT = 65535
TEMPLATE = ("host", "port", "url")  # what a variable's text may name
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
        """What a program says as one text; `breaches` has what is wrong with it.

        `package.Service/Method` is how gRPC sends it: a POST of that path (gRPC over HTTP/2, Request-Headers).
        """
        if GRPC.fullmatch(text):
            return cls("POST", f"/{text}")
        method, _, path = text.partition(" ")
        return cls(method, path)

    @cached_property
    def segments(self) -> tuple[str, ...]:
        """The path's parts, each variable as `{}`: what it is called does not matter to who may do what.

        A last `{...}` is one segment or more, the last of which may be empty (as in Go's ServeMux).
        """
        parts = self.path.split("/")[1:]
        return tuple((ALL if part.endswith("...}") else ONE) if part.startswith("{") else part for part in parts)

    @property
    def shape(self) -> Operation:
        """The same without the variables' names."""
        return Operation(self.method, "/" + "/".join(self.segments))

    def covers(self, other: Operation) -> bool:
        """Whether whoever may do this may do `other`, itself a template or a plain request."""
        if not self.meets(other):
            return False
        for mine, theirs in zip(self.segments, other.segments, strict=False):
            if mine == ALL:
                return True
            if mine not in (ONE, theirs) or (mine == ONE and theirs == ALL):
                return False
        return True

    def reaches(self, other: Operation) -> bool:
        """Whether a variable of this stands where `other` has a word of its own, in a request that is both."""
        if not self.meets(other):
            return False
        for mine, theirs in zip(self.segments, other.segments, strict=False):
            if mine == ALL:
                return theirs != ALL
            if mine == ONE and theirs not in (ONE, ALL):
                return True
        return False

    def meets(self, other: Operation) -> bool:
        """Whether some request is both; a variable is one segment that is not empty."""
        if self.method != other.method:
            return False
        for mine, theirs in zip(self.segments, other.segments, strict=False):
            if ALL in (mine, theirs):
                return True
            if mine != theirs and not (mine == ONE and theirs) and not (theirs == ONE and mine):
                return False
        return len(self.segments) == len(other.segments)

    def breaches(self, place: Place) -> Iterator[Breach]:
        text = str(self)
        if self.method not in d.METHODS:
            remedy = did_you_mean(self.method.upper(), d.METHODS, "use one of " + ", ".join(d.METHODS))
            yield Breach(place, f"{text!r} does not begin with an HTTP method", remedy)
        segments = self.path.removeprefix("/").split("/") if self.path != "/" else []
        *first, last = segments or [""]
        inner = [*first, *([last] if last and not REST.fullmatch(last) else [])]
        if not self.path.startswith("/") or not all(SEGMENT.fullmatch(segment) for segment in inner):
            remedy = (
                "write a path like '/items/{id}': plain segments or {names}, no wildcard and no query; "
                "a last {rest...} is all that follows"
            )
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
            if segment == ALL:
                yield from (one for node in nodes for below in node.below.values() for one in below.all())
                return
            yield from (one for node in nodes if ALL in node.below for one in node.below[ALL].here)
            nodes = [below for node in nodes for below in node.at(segment)]
        for node in nodes:
            yield from node.here

    def at(self, segment: str) -> Iterator[ByPath]:
        """One step down: where this segment leads."""
        if segment == ONE:
            yield from (below for name, below in self.below.items() if name not in ("", ALL))
            return
        names = (segment, ONE) if segment else ("",)
        yield from (self.below[name] for name in names if name in self.below)

    def all(self) -> Iterator[Operation]:
        """Everything from here on."""
        yield from self.here
        for below in self.below.values():
            yield from below.all()


@dataclass(frozen=True, order=True)
class Target:
    """Whom a caller speaks to: a service, or one of its further ports by name."""

    ref: Ref
    port: str = ""

    def __str__(self) -> str:
        return f"{self.ref}:{self.port}" if self.port else str(self.ref)


@dataclass(frozen=True, order=True)
class Call:
    """`caller` may perform `operations` at `callee`, or where it `connects` speak TCP with it; nothing else passes."""

    caller: Ref
    callee: Ref
    operations: tuple[Operation, ...]
    token: Token = "none"  # noqa: S105 a way to call
    """Whether the user's token goes with it, which the callee checks again."""
    port: str = ""
    """The name of a further port of the callee."""
    connects: bool = False
    """Whether it is a connection: whose it is gets checked, and nothing that is said in it."""
    env: Pairs = ()
    """The application's own variables for the address, each a text with {host}, {port} or {url} in it."""
    alias: str = ""
    """The `name:port` at which the application looks for the callee, where that is compiled in."""
    timeout: int | None = None
    """Seconds for the answer, once the request is there; 0 is as long as it takes. None is 15 for HTTP, 0 for gRPC."""

    @cached_property
    def target(self) -> Target:
        return Target(self.callee, self.port)

    @property
    def alias_host(self) -> str:
        return self.alias.rpartition(":")[0]

    @property
    def alias_port(self) -> int:
        """0 where there is no alias, or none that is an address."""
        port = self.alias.rpartition(":")[2]
        return int(port) if port.isdecimal() else 0

    @property
    def forwards(self) -> bool:
        """Whether the user's token goes with it."""
        return self.token == "forward"  # noqa: S105 a way to call

    def breaches(self, place: Place) -> Iterator[Breach]:
        if self.callee == self.caller:
            remedy = "remove the call; a service needs no leave to be itself"
            yield Breach(place, f"'{self.caller}' calls itself", remedy)
        if not self.operations and not self.connects:
            remedy = 'say which, such as "GET /items/{id}"; a call without operations would be a call to everything'
            yield Breach(place, f"the call from '{self.caller}' to '{self.target}' names no operation", remedy)
        if self.token not in get_args(Token):
            yield Breach(place, f"token={self.token!r} is no way to call", 'use "forward" or "none"')
        if self.timeout is not None and not 0 <= self.timeout <= MAX_SECONDS:
            remedy = f"use 1 to {MAX_SECONDS} seconds, or 0 for as long as it takes"
            yield Breach(place, f"timeout={self.timeout} is no time for an answer", remedy)
        for operation in self.operations:
            yield from operation.breaches(place)
        yield from _told(place, self.env)
        if self.alias and not _is_alias(self.alias):
            what = f"alias={self.alias!r} is not an address"
            yield Breach(place, what, "write NAME:PORT as the image has it, such as 'catalogue:8080'")


def _told(place: Place, env: Pairs) -> Iterator[Breach]:
    for variable, text in env:
        yield from named_variable(place, variable)
        if not places(text) or not places(text) <= {*TEMPLATE}:
            what = f"{variable}={text!r} does not say where the callee is"
            yield Breach(place, what, "write {host}, {port} or {url} where each belongs, and no other brace")


def _is_alias(text: str) -> bool:
    host, _, port = text.rpartition(":")
    names = host.split(".")
    good = all(LABEL.fullmatch(name) and len(name) <= MAX_LABEL for name in names) and len(host) <= MAX_HOST
    return good and host != "localhost" and port.isascii() and port.isdecimal() and 1 <= int(port) <= MAX_PORT


def merged(calls: Iterable[Call]) -> Iterator[Call]:
    """One for each pair, with all the operations and variables said about it; the rest is one for a pair: a law."""
    pairs: dict[tuple[Ref, Target], list[Call]] = {}
    for call in calls:
        pairs.setdefault((call.caller, call.target), []).append(call)
    for said in pairs.values():
        operations = {operation for call in said for operation in call.operations}
        env = {variable for call in said for variable in call.env}
        alias = next((call.alias for call in said if call.alias), "")
        yield replace(said[0], operations=tuple(sorted(operations)), env=tuple(sorted(env)), alias=alias)
