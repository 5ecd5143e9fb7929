"""The words of a shell script: what is quoted, what is a comment, what is substituted, what a here-document holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_OPERATOR = re.compile(r"&&|\|\||\|&|;;|[;|&()\n]")
_REDIRECT = re.compile(r"(?:\d+|&)?(?:<<<|<<-?|>>|>\||<>|[<>]&?)")
_BLANK = re.compile(r"(?:[ \t\r]|\\\r?\n)+")
_PLAIN = re.compile(r"[^\s\\'\"`$;|&()<>]+")
_EXPRESSIONS = {"${{": "}}", "$[[": "]]"}  # of GitHub and of GitLab, put in before a shell sees the script


@dataclass(frozen=True)
class Token:
    """An operator, a redirection with its target, or a word. `inner`: the scripts substituted into it."""

    kind: str
    text: str
    start: int
    end: int
    quoted: bool = False
    target: str = ""
    document: str = ""
    inner: tuple[str, ...] = ()


@dataclass
class _Word:
    """A word while it is read."""

    parts: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)
    quoted: bool = False


def tokens(script: str) -> Iterator[Token]:
    """All tokens; what follows an unfinished quote or bracket belongs to it."""
    yield from _Reader(script).read()


class _Reader:
    def __init__(self, script: str) -> None:
        self.script, self.at = script, 0
        self.waiting: list[tuple[str, bool, bool]] = []  # the ends of here-documents that begin on the next line

    def read(self) -> Iterator[Token]:
        script, size = self.script, len(self.script)
        while self.at < size:
            if found := _BLANK.match(script, self.at):
                self.at = found.end()
            elif script[self.at] == "#":
                end = script.find("\n", self.at)
                self.at = size if end < 0 else end
            elif script[self.at : self.at + 2] not in ("<(", ">(") and (found := _REDIRECT.match(script, self.at)):
                yield self._redirect(found)
            elif found := _OPERATOR.match(script, self.at):
                yield from self._operator(found)
            else:
                yield self._token()

    def _operator(self, found: re.Match[str]) -> Iterator[Token]:
        self.at = found.end()
        text = {"|&": "|", ";;": ";", "\n": ";"}.get(found[0], found[0])
        if found[0] == "\n":
            yield from self._documents()
            if self._after_a_pipe:
                return  # the line ended in | && or ||, and goes on
        self._after_a_pipe = text in ("|", "||", "&&")
        yield Token("operator", text, found.start(), found.end())

    _after_a_pipe = False

    def _token(self) -> Token:
        self._after_a_pipe = False
        start, word = self.at, self._word()
        return Token("word", "".join(word.parts), start, self.at, word.quoted, inner=tuple(word.inner))

    def _redirect(self, found: re.Match[str]) -> Token:
        self.at = found.end()
        while blank := _BLANK.match(self.script, self.at):
            self.at = blank.end()
        operator = found[0].lstrip("0123456789")
        word = self._word()
        target = "".join(word.parts)
        if operator in ("<<", "<<-"):
            self.waiting.append((target, operator == "<<-", word.quoted))
        text = target if operator == "<<<" else ""
        return Token(
            "redirect", operator, found.start(), self.at, target=target, document=text, inner=tuple(word.inner)
        )

    def _documents(self) -> Iterator[Token]:
        """The here-documents of the line before: text, in which only substitutions are scripts."""
        for end, indented, quoted in self.waiting:
            start, rows = self.at, []
            while self.at < len(self.script):
                stop = self.script.find("\n", self.at)
                stop = len(self.script) if stop < 0 else stop
                row = self.script[self.at : stop]
                self.at = min(stop + 1, len(self.script))
                if (row.lstrip("\t") if indented else row).rstrip("\r") == end:
                    break
                rows.append(row)
            text = "\n".join(rows)
            inner = () if quoted else tuple(_Reader(text).substituted())
            yield Token("redirect", "<<", start, start, document=text, inner=inner)
        self.waiting = []

    def substituted(self) -> list[str]:
        """The scripts in a text whose quotes mean nothing."""
        word = _Word()
        while self.at < len(self.script):
            self._piece(word, quoted=True)
        return word.inner

    def _word(self) -> _Word:
        word, script = _Word(), self.script
        while self.at < len(script) and not (script[self.at].isspace() or script[self.at] in ";|&)"):
            character = script[self.at]
            if character in "<>(" and not (character != "(" and script[self.at + 1 : self.at + 2] == "("):
                if character == "(" and word.parts and word.parts[-1].endswith(("=", "?", "*", "+", "@", "!")):
                    self._bracket(word)  # a=(list) or a pattern
                    continue
                break
            self._piece(word, quoted=False)
        return word

    def _bracket(self, word: _Word) -> None:
        inside = self._until(self.at + 1)
        word.parts.append(f"({inside})")

    def _piece(self, word: _Word, *, quoted: bool) -> None:
        """One plain run, quote, escape or substitution."""
        script, character = self.script, self.script[self.at]
        if end := self._expression():
            word.parts.append(script[self.at : end])
            self.at = end
        elif character == "\\":
            if script[self.at + 1 : self.at + 2] != "\n":
                word.parts.append(script[self.at + 1 : self.at + 2])
            self.at += 2
        elif character == "'" and not quoted:
            end = script.find("'", self.at + 1)
            end = len(script) if end < 0 else end
            word.parts.append(script[self.at + 1 : end])
            word.quoted, self.at = True, end + 1
        elif character == '"' and not quoted:
            self._double(word)
        elif character == "`":
            end = script.find("`", self.at + 1)
            end = len(script) if end < 0 else end
            word.inner.append(script[self.at + 1 : end])
            word.parts.append(script[self.at : end + 1])
            self.at = end + 1
        elif script.startswith(("$(", "<(", ">("), self.at) and not (quoted and character != "$"):
            start = self.at
            inside = self._until(self.at + 2)
            if not inside.startswith("("):  # $(( )) is arithmetic
                word.inner.append(inside)
            word.parts.append(script[start : self.at])
        elif not quoted and (plain := _PLAIN.match(script, self.at)):
            word.parts.append(plain[0])
            self.at = plain.end()
        else:
            word.parts.append(character)
            self.at += 1

    def _expression(self) -> int:
        """Where an expression that begins here ends; 0 where none does."""
        closing = _EXPRESSIONS.get(self.script[self.at : self.at + 3], "")
        if not closing or closing in self._unclosed:
            return 0
        end = self.script.find(closing, self.at)
        if end < 0:
            self._unclosed += closing  # asked once: a script full of openings is no work
        return end + 2 if end >= 0 else 0

    _unclosed = ""

    def _double(self, word: _Word) -> None:
        word.quoted = True
        self.at += 1
        while self.at < len(self.script) and self.script[self.at] != '"':
            self._piece(word, quoted=True)
        self.at += 1

    def _until(self, start: int) -> str:
        """What stands inside of a bracket that opened just before `start`; quotes in it hide brackets."""
        depth, at, script = 1, start, self.script
        while at < len(script):
            character = script[at]
            if character == "\\":
                at += 1
            elif character in "'\"`":
                end = _quote_end(script, at)
                at = end
            elif character == "(":
                depth += 1
            elif character == ")":
                depth -= 1
                if not depth:
                    break
            at += 1
        self.at = min(at + 1, len(script))
        return script[start:at]


def _quote_end(script: str, at: int) -> int:
    """Where the quote that opens at `at` closes."""
    quote, at = script[at], at + 1
    while at < len(script) and script[at] != quote:
        at += 2 if script[at] == "\\" and quote != "'" else 1
    return at
