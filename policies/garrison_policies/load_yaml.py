"""YAML and JSON text as kubectl reads it, document by document, never trusting the text.

kubectl reads YAML with sigs.k8s.io/yaml: YAML 1.1 words for true and false (`yes`, `on`, `y`), no base-60 numbers,
dates as text, and duplicate keys refused. Python's YAML loaders differ in each of these, so values are built here from
the parser's events. That also keeps a hostile text harmless: depth and what aliases may expand to are bounded, and
PyYAML's own tree builder, which overflows the stack on deep nesting, is never reached.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from garrison_policies.load_scalar import resolve

MAX_DEPTH = 100  # a CustomResourceDefinition's schema, the deepest thing in use, has about 50
MAX_ALIASED = 100_000  # values that aliases add to one document; a hand-written anchor adds dozens
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARKER = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
_RESOLVED_TAGS = tuple(f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null"))


class UnreadableError(ValueError):
    """The text cannot be read, or not in one way only."""


@dataclass(frozen=True)
class Document:
    """One document: the line it starts at, and its value without nulls, or what is wrong with it."""

    line: int
    body: Any = None
    problem: str = ""


def documents(text: str) -> Iterator[Document]:
    """All documents that are not empty. A broken one does not hide those after it."""
    line, start = 1, 0
    for end in [*(match.start() for match in _MARKER.finditer(text)), len(text)]:
        part = text[start:end].removeprefix("---")
        if any(row and row[0] not in "#%" for row in map(str.strip, part.splitlines())):
            yield from _read(part, line)
        line += text.count("\n", start, end)
        start = end


def _read(part: str, line: int) -> Iterator[Document]:
    """What stands between two markers: one document, or several in JSON or after `...`."""
    if part.lstrip()[:1] in ("{", "["):
        try:
            yield from _read_json(part, line)
            return
        except (ValueError, RecursionError):
            pass  # YAML in flow style begins alike; and what is wrong with JSON, the YAML reader says with its line
    reader = _Reader(part)
    try:
        while (found := reader.document()) is not None:
            first, value = found
            if value is not None:
                yield Document(line + first, value)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        yield Document(
            line + (mark.line if mark else 0), problem=f"is not YAML: {error.problem or error.context}{_hint(part)}"
        )
    except yaml.reader.ReaderError as error:
        at = part.count("\n", 0, error.position)
        yield Document(line + at, problem=f"is not text: {error.reason}")
    except ValueError as error:
        yield Document(line + reader.line, problem=" ".join(str(error).split()) + _hint(part))


def _hint(part: str) -> str:
    return "; a template is checked after it is rendered: pipe `helm template` into `garrison check -`" * ("{{" in part)


def _read_json(part: str, line: int) -> list[Document]:
    """Whole or not at all: raises ValueError where the text is not JSON through and through."""
    found, place = [], _next(part, 0)
    while place < len(part):
        value, end = _JSON.raw_decode(part, place)
        found.append(Document(line + part.count("\n", 0, place), value))
        place = _next(part, end)
    return found


def _next(part: str, place: int) -> int:
    return len(part) - len(part[place:].lstrip())


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise UnreadableError("a key is written twice")
    return {key: value for key, value in pairs if value is not None}


def _no_constant(name: str) -> Any:
    raise UnreadableError(f"{name} is not JSON")


_JSON = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_no_constant)


class _Reader:
    """Values from the parser's events, one document at a time."""

    def __init__(self, text: str) -> None:
        self._next = _LOADER(text).get_event
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._count = 0
        self._aliased = 0
        self.line = 0

    def document(self) -> tuple[int, Any] | None:
        """The line a document starts at and its value; None at the end."""
        while not isinstance(event := self._next(), yaml.StreamEndEvent):
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                self._aliased = 0
                root = self._next()
                return root.start_mark.line, self._value(root, 0)
        return None

    def _value(self, event: Any, depth: int) -> Any:
        self.line = event.start_mark.line
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor))
        before = self._count
        self._count += 1
        if depth > MAX_DEPTH:
            raise UnreadableError(f"is nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.ScalarEvent):
            value = _scalar(event)
        elif isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(depth + 1)
        else:
            value = self._sequence(depth + 1)
        if event.anchor:
            self._anchors[event.anchor] = value, self._count - before
        return value

    def _alias(self, name: str) -> Any:
        if name not in self._anchors:
            raise UnreadableError(f"the alias *{name} stands for nothing before it")
        value, size = self._anchors[name]
        self._count += size
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            raise UnreadableError(f"its aliases expand to more than {MAX_ALIASED} values")
        return value

    def _sequence(self, depth: int) -> list[Any]:
        made = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            made.append(self._value(event, depth))
        return made

    def _mapping(self, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        merged: dict[str, Any] | None = None
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if _is_merge(event):
                if merged is not None:
                    raise UnreadableError("the key '<<' is written twice")
                merged = _merged(self._value(self._next(), depth), made)
                continue
            key = self._key(event)
            if key in made:
                raise UnreadableError(f"the key {key!r} is written twice")
            made[key] = self._value(self._next(), depth)
        whole = {**merged, **made} if merged else made
        return {key: value for key, value in whole.items() if value is not None} if None in whole.values() else whole

    def _key(self, event: Any) -> str:
        found = self._value(event, 0)
        if isinstance(found, bool):
            return str(found).lower()  # `on:` is the key "true" to the API server
        if found is None or isinstance(found, dict | list):
            raise UnreadableError("a key is not a word")
        return str(found)


def _scalar(event: yaml.ScalarEvent) -> Any:
    if event.tag is None:
        return resolve(event.value) if event.implicit[0] else event.value
    if event.tag in _TEXT_TAGS:
        return event.value
    if event.tag in _RESOLVED_TAGS:
        return resolve(event.value)
    raise UnreadableError(f"the tag {event.tag} means nothing to Kubernetes")


def _is_merge(event: yaml.Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.tag is None and bool(event.implicit[0])


def _merged(value: Any, made: dict[str, Any]) -> dict[str, Any]:
    """What `<<` brings in; of several, the first that has a key wins."""
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(source, dict) for source in sources):
        raise UnreadableError("the key '<<' merges something that is not a mapping")
    merged = {key: item for source in reversed(sources) for key, item in source.items()}
    for key in made.keys() & merged.keys():
        if made[key] != merged[key]:  # go-yaml takes the later, the standard the written one
            raise UnreadableError(f"'<<' follows the key {key!r} and has another value for it; write '<<' first")
    return merged
