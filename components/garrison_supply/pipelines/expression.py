"""GitHub's expressions: where they end, what they mention, and whose text can be what they give.

`${{ github.event.x == 'a' && 'b' || 'c' }}` mentions an event and gives one of two words of its own: what is compared,
negated or only tested is not what comes out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_OPEN = "${{"
_END = re.compile(r"'|\}\}")
_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<name>[A-Za-z_][\w-]*)|(?P<number>[-+]?\d[\w.]*)|"
                    r"(?P<op>&&|\|\||[=!<>]=|[][()<>!,.*]))")  # fmt: skip
# What these give is a truth value or a hash, whatever they are given.
_OPAQUE = frozenset({"contains", "startswith", "endswith", "hashfiles", "success", "always", "failure", "cancelled"})
_COMPARED = ("==", "!=", "<", ">", "<=", ">=")
_DEEPEST = 50  # brackets in brackets; nobody writes more than a few


class _OddError(ValueError):
    """Not an expression that GitHub would accept."""


def expressions(text: str) -> Iterator[str]:
    """The inside of every `${{ }}`. One that never ends, and what follows it, is no expression: GitHub refuses it."""
    position = text.find(_OPEN)
    while position >= 0:
        start = position + len(_OPEN)
        end = _closing(text, start)
        if end < 0:
            return
        yield text[start:end]
        position = text.find(_OPEN, end)


def _closing(text: str, position: int) -> int:
    """Where `}}` stands outside of quotes; -1 where it does not."""
    while found := _END.search(text, position):
        if found[0] == "}}":
            return found.start()
        quote = text.find("'", found.end())  # two quotes in a row end one text and begin the next
        if quote < 0:
            return -1
        position = quote + 1
    return -1


def mentioned(inner: str) -> frozenset[str]:
    """Every context it reads, in lower case and with dots: `github['event'].TITLE` is github.event.title."""
    return frozenset(_parsed(inner).seen)


def given(inner: str) -> frozenset[str]:
    """The contexts whose text can come out of it."""
    return _parsed(inner).value


@dataclass
class _Parser:
    tokens: list[tuple[str, str]]
    at: int = 0
    depth: int = 0
    seen: set[str] = field(default_factory=set)
    value: frozenset[str] = frozenset()

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        """The next token if it is one of these; else nothing."""
        if self.at < len(self.tokens) and self.tokens[self.at][1] in wanted and self.tokens[self.at][0] == "op":
            self.at += 1
            return self.tokens[self.at - 1][1]
        return ""

    def need(self, wanted: str) -> None:
        if not self.take(wanted):
            raise _OddError(wanted)

    def whole(self) -> frozenset[str]:
        value = self.either()
        if self.at < len(self.tokens):
            raise _OddError(self.peek())
        return value

    def either(self) -> frozenset[str]:
        """`a || b` gives one of both."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _OddError("too deep")
        value = self.both()
        while self.take("||"):
            value |= self.both()
        self.depth -= 1
        return value

    def both(self) -> frozenset[str]:
        """`a && b` gives b, or an `a` that is empty, nought or false."""
        value = self.compared()
        while self.take("&&"):
            value = self.compared()
        return value

    def compared(self) -> frozenset[str]:
        value = self.one()
        while self.take(*_COMPARED):
            self.one()
            value = frozenset()
        return value

    def one(self) -> frozenset[str]:
        """A negation, a bracket, a word in quotes, a number, a call or a context."""
        if self.take("!"):
            while self.take("!"):
                pass
            self.one()
            return frozenset()
        if self.take("("):
            value = self.either()
            self.need(")")
            return self.path(None, value)
        if self.at >= len(self.tokens):
            raise _OddError("end")
        kind, word = self.tokens[self.at]
        self.at += 1
        if kind != "name":
            if kind == "op":
                raise _OddError(word)
            return frozenset()
        return self.call(word.lower()) if self.take("(") else self.path(word.lower(), frozenset())

    def call(self, name: str) -> frozenset[str]:
        """A function gives what it is given, except where it only answers a question."""
        value: frozenset[str] = frozenset()
        while not self.take(")"):
            value |= self.either()
            if self.peek() != ")":
                self.need(",")
        return self.path(None, frozenset() if name in _OPAQUE else value)

    def path(self, name: str | None, value: frozenset[str]) -> frozenset[str]:
        """What follows a context (or, without a name, a call or bracket): `.a`, `.*`, `['a']`, `[0]`, `[a.b]`."""
        parts = [name or ""]
        while following := self.take(".", "["):
            if following == "[":
                start = self.at
                self.either()
                inside = self.tokens[start : self.at]
                self.need("]")
                parts.append(inside[0][1].strip("'").lower() if len(inside) == 1 and inside[0][0] != "name" else "*")
            else:
                parts.append(self.tokens[self.at][1].lower() if self.at < len(self.tokens) else "")
                self.at += 1
        if name is None or name in ("true", "false", "null"):
            return value
        dotted = ".".join(parts)
        self.seen.add(dotted)
        return frozenset({dotted})


def _parsed(inner: str) -> _Parser:
    parser = _Parser(list(_tokens(inner)))
    try:
        parser.value = parser.whole()
    except (_OddError, IndexError):  # what is not understood is taken to give everything it names
        parser.seen |= set(re.findall(r"[a-z_][\w-]*(?:\.[\w*-]+)*", _plain(inner)))
        parser.value = frozenset(parser.seen)
    return parser


def _tokens(inner: str) -> Iterator[tuple[str, str]]:
    position = 0
    inner = inner.strip()
    while position < len(inner):
        found = _TOKEN.match(inner, position)
        if found is None or found.lastgroup is None:
            yield "op", inner[position]
            position += 1
            continue
        yield found.lastgroup, found[found.lastgroup]
        position = found.end()


def _plain(inner: str) -> str:
    """In lower case, names in brackets as names behind dots, other texts left out."""
    return re.sub(r"'[^']*'", "''", re.sub(r"\[\s*'([\w-]+)'\s*\]", r".\1", inner.lower()))
