"""Files into objects. What cannot be read is a finding of its own, so that nothing passes because nobody could look."""

from __future__ import annotations

import codecs
import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from garrison_policies.language.evaluate import finding
from garrison_policies.language.objects import Object
from garrison_policies.language.own import UNREADABLE
from garrison_policies.language.rule import Finding
from garrison_policies.read.documents import documents
from garrison_policies.read.files import CheckError, Source, sources
from garrison_policies.read.shape import carries, is_list, problems

# Files of other tools that often lie beside manifests. What in them is no Kubernetes object is passed over and said so.
NEIGHBOURS = (
    *("values*.y*ml", "*compose*.y*ml", "Pulumi*.y*ml", "mkdocs.y*ml", "Taskfile.y*ml", "exceptions.y*ml"),
    *("package*.json", "tsconfig*.json", "*.schema.json", "renovate.json"),
)


@dataclass
class Loaded:
    """What was read. `passed` names neighbours that hold no objects."""

    objects: list[Object] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)


def load(paths: Sequence[str]) -> Loaded:
    """Everything the paths stand for; raises CheckError with every path that could not be read at all."""
    loaded, wrong = Loaded(), []
    for path in paths:
        try:
            found = [_read(source, loaded) for source in sources(path)]
            if not any(found):
                wrong.append(f"{path}: holds no Kubernetes objects; nothing was checked")
        except CheckError as error:
            wrong.append(str(error))
    if wrong:
        raise CheckError(wrong)
    return loaded


def _read(source: Source, loaded: Loaded) -> bool:
    """Add one file; whether there was anything in it."""
    try:
        text = decoded(source.content)
    except UnicodeDecodeError as error:
        _complain(loaded, _object(source, {}, 1), 1, f"is not text in UTF-8 or UTF-16 ({error.reason})")
        return True
    count = 0
    for count, document in enumerate(documents(text), 1):  # noqa: B007 how many there were
        if document.problem:
            _complain(loaded, _object(source, {}, document.line), document.line, document.problem)
            continue
        for body in unwrapped(document.body):
            _add(loaded, source, body, document.line)
    return count > 0


def decoded(content: bytes) -> str:
    """The text of a file; raises UnicodeDecodeError."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")


def unwrapped(body: Any) -> Iterator[Any]:
    """The objects of a list, however deep; anything else as it is. An item of a PodList may leave out what it is.

    What is no list of the API and has `items` is judged itself as well: kubectl applies the items and drops the rest.
    """
    inside = carries(body) if isinstance(body, Mapping) else ""
    carried = body.get(inside, []) if inside else None
    if not isinstance(carried, list) or (inside == "items" and not is_list(body)):
        yield body
    kind = str(body["kind"]).removesuffix("List") if inside == "items" and body.get("kind") else ""
    implied = {"apiVersion": body.get("apiVersion"), "kind": kind} if kind else {}
    for item in carried if isinstance(carried, list) else ():
        if isinstance(item, dict) or is_list(body):
            yield from unwrapped({**implied, **item} if isinstance(item, dict) else item)


def _add(loaded: Loaded, source: Source, body: Any, line: int) -> None:
    names = (body.get("apiVersion"), body.get("kind")) if isinstance(body, Mapping) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        if source.walked and any(fnmatch.fnmatch(PurePath(source.file).name, pattern) for pattern in NEIGHBOURS):
            loaded.passed.append(source.file)
            return
        text = "is not a Kubernetes object: it has no apiVersion or no kind"
        _complain(loaded, _object(source, {}, line), line, text)
        return
    item = _object(source, body, line)
    loaded.objects.append(item)
    for path, text in problems(item):
        _complain(loaded, item, line, text, path)


def _complain(loaded: Loaded, item: Object, line: int, text: str, path: str = "") -> None:
    loaded.findings.append(finding(UNREADABLE, item, path, f"line {line}: {text}"))


def _object(source: Source, body: Mapping[str, Any], line: int) -> Object:
    return Object(body, source.file, 0 if source.rendered else line)
