"""YAML and JSON text as kubectl reads it, document by document, never trusting the text.

kubectl reads YAML with sigs.k8s.io/yaml: YAML 1.1 words for true and false (`yes`, `on`, `y`), no base-60 numbers,
dates as text, and duplicate keys refused. Python's YAML loaders differ in each of these, so values are built from the
parser's events (`load_values`).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from garrison_policies.read.values import Reader, UnreadableError

_MARKER = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
# Behind a marker blanks mean nothing, nor does the byte order mark of a file that was joined to another.
_BARE = re.compile(r"\A[ \t]*(\r?\n)\ufeff?")


@dataclass(frozen=True)
class Document:
    """One document: the line it starts at, and its value without nulls, or what is wrong with it.

    twice: line and name of each key that is written twice, where the reader was told to put up with it.
    """

    line: int
    body: Any = None
    problem: str = ""
    twice: tuple[tuple[int, str], ...] = ()


def documents(text: str, *, lenient: bool = False) -> Iterator[Document]:
    """All documents that are not empty. A broken one does not hide those after it.

    A key that is written twice breaks a document, unless it is read leniently: then the later value counts.
    """
    line, start = 1, 0
    for end in [*(match.start() for match in _MARKER.finditer(text)), len(text)]:
        part = _BARE.sub(r"\1", text[start:end].removeprefix("---"))
        if any(row and row[0] not in "#%" for row in map(str.strip, part.splitlines())):
            yield from _read(part, line, lenient=lenient)
        line += text.count("\n", start, end)
        start = end


def _read(part: str, line: int, *, lenient: bool) -> Iterator[Document]:
    """What stands between two markers: one document, or several in JSON or after `...`."""
    if part.lstrip()[:1] in ("{", "["):
        try:
            yield from _read_json(part, line)
            return
        except (ValueError, RecursionError):
            pass  # YAML in flow style begins alike; and what is wrong with JSON, the YAML reader says with its line
    twice: list[tuple[int, str]] = []
    reader = Reader(part, twice if lenient else None)
    try:
        while (found := reader.document()) is not None:
            first, value = found
            if value is not None:
                yield Document(line + first, value, twice=tuple((line + at, key) for at, key in twice))
                twice.clear()
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


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise UnreadableError(f"{digits} is beyond all bounds")
    return number


_JSON = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_no_constant, parse_float=_finite)
