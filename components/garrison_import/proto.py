"""The services of a `.proto` file: package, service, rpc. Everything else is read past, and only if it is balanced.

protobuf.dev/reference/protobuf/proto3-spec has the grammar. A file that is not of it is refused with its line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?P<skip>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<text>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')"
    r"|(?P<word>\.?[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)"
    r"|(?P<number>[0-9][A-Za-z0-9_.]*(?:[+-][0-9]+)?)"
    r"|(?P<mark>[{}()\[\]<>;=,:.+/-])",
    re.DOTALL,
)
_CLOSES = {"{": "}", "(": ")", "[": "]", "<": ">"}


class ProtoError(ValueError):
    """The text is no .proto file, at `line`."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line


@dataclass(frozen=True)
class Service:
    """A service with its methods; `package` may be empty."""

    package: str
    name: str
    methods: tuple[str, ...]

    @property
    def operations(self) -> tuple[str, ...]:
        """Each method as a program writes it: `package.Service/Method`."""
        full = f"{self.package}.{self.name}" if self.package else self.name
        return tuple(f"{full}/{method}" for method in self.methods)


def services(text: str) -> list[Service]:
    """Every service, in order; raises ProtoError."""
    return _File(list(_tokens(text))).services()


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    place, line = 0, 1
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ProtoError(line, f"is not of the language of .proto files at {text[place : place + 20]!r}")
        if match.lastgroup != "skip":
            yield str(match.lastgroup), match[0], line
        line += match[0].count("\n")
        place = match.end()
    yield "end", "", line


class _File:
    def __init__(self, tokens: list[tuple[str, str, int]]) -> None:
        self._tokens, self._place = tokens, 0

    def services(self) -> list[Service]:
        package, found = "", []
        while self._kind() != "end":
            match self._text():
                case "package":
                    self._take("package")
                    package = self._word("a package")
                    self._take(";")
                case "service":
                    found.append(self._service())
                case ";":
                    self._take(";")
                case "syntax" | "edition" | "import" | "option":
                    self._past()
                case "message" | "enum" | "extend":
                    self._past()
                case other:
                    raise self._wrong(f"has {other!r} where a declaration begins")
        return [Service(package, name, methods) for name, methods in found]

    def _service(self) -> tuple[str, tuple[str, ...]]:
        self._take("service")
        name = self._word("a service")
        self._take("{")
        methods: list[str] = []
        while self._text() != "}":
            if self._text() == "rpc":
                methods.append(self._rpc())
            elif self._text() == ";":
                self._take(";")
            elif self._text() == "option":
                self._past()
            else:
                raise self._wrong(f"has {self._text()!r} where a method of {name} begins")
        self._take("}")
        if len({*methods}) < len(methods):
            raise self._wrong(f"has a method of {name} twice")
        return name, tuple(methods)

    def _rpc(self) -> str:
        self._take("rpc")
        name = self._word("a method")
        for keyword in ("", "returns"):
            if keyword:
                self._take(keyword)
            self._take("(")
            if self._text() == "stream" and self._tokens[self._place + 1][0] == "word":
                self._take("stream")
            self._word("a message")
            self._take(")")
        if self._text() == "{":
            self._bracket()
        else:
            self._take(";")
        return name

    def _past(self) -> None:
        """Past one statement: to its semicolon, or over its braces."""
        while self._text() not in (";", "{"):
            if self._kind() == "end" or self._text() in ("}", ")", "]"):
                raise self._wrong("ends inside of a statement")
            if self._text() in ("(", "["):
                self._bracket()
            else:
                self._place += 1
        if self._text() == ";":
            self._take(";")
        else:
            self._bracket()
            if self._text() == ";":
                self._take(";")

    def _bracket(self) -> None:
        """Over a bracket and all that is in it; `<` is one only in a map's type, where it does no harm unread."""
        open_ = [_CLOSES[self._text()]]
        self._place += 1
        while open_:
            text = self._text()
            if self._kind() == "end":
                raise self._wrong(f"ends where {open_[-1]!r} is missing")
            if self._kind() == "mark" and text in "{([":
                open_.append(_CLOSES[text])
            elif self._kind() == "mark" and text in "})]" and text != open_.pop():
                raise self._wrong(f"has {text!r} where another bracket is open")
            self._place += 1

    def _kind(self) -> str:
        return self._tokens[self._place][0]

    def _text(self) -> str:
        return self._tokens[self._place][1]

    def _word(self, what: str) -> str:
        kind, text, _ = self._tokens[self._place]
        if kind != "word":
            raise self._wrong(f"has {text!r} where the name of {what} is")
        self._place += 1
        return text

    def _take(self, text: str) -> None:
        if self._text() != text:
            raise self._wrong(f"has {self._text()!r} where {text!r} is")
        self._place += 1

    def _wrong(self, text: str) -> ProtoError:
        return ProtoError(self._tokens[self._place][2], text)
