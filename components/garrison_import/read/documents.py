"""The files of one import as objects: all of them, or an error that says which could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from garrison.errors import GarrisonError
from garrison_policies.language.objects import Object
from garrison_policies.read.documents import Document, documents
from garrison_policies.read.files import CheckError, Source, sources
from garrison_policies.read.load import decoded, unwrapped
from garrison_policies.read.shape import problems


class ImportingError(GarrisonError):
    """The import cannot be done: one line for each reason, and nothing was written."""


@dataclass
class Documents:
    """What was read. `twice` are the keys that stand twice in one mapping, `passed` what is no object of Kubernetes."""

    objects: list[Object] = field(default_factory=list)
    twice: list[tuple[Object, int, str]] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)


def read(paths: Sequence[str]) -> Documents:
    """Everything the paths stand for; raises ImportingError with all that cannot be read."""
    found = Documents()
    wrong: list[str] = []
    for path in paths:
        try:
            for source in sources(path):
                wrong += _read(source, found)
        except CheckError as error:
            wrong += [str(problem) for problem in error.problems]
    if wrong:
        raise ImportingError(wrong)
    if not found.objects:
        raise ImportingError(f"{', '.join(paths)}: no Kubernetes object in it; give rendered manifests")
    return found


def _read(source: Source, found: Documents) -> Iterator[str]:
    try:
        text = decoded(source.content)
    except UnicodeDecodeError as error:
        yield f"{source.file}: is not text in UTF-8 or UTF-16 ({error.reason})"
        return
    for document in documents(text, lenient=True):
        if document.problem:
            yield f"{source.file}:{document.line}: {document.problem}"
            continue
        for body in unwrapped(document.body):
            yield from _add(source, document, body, found)


def _add(source: Source, document: Document, body: Any, found: Documents) -> Iterator[str]:
    names = (body.get("apiVersion"), body.get("kind")) if isinstance(body, Mapping) else ()
    if not names or not all(isinstance(name, str) and name for name in names):
        if source.walked:  # values of a chart, a pipeline: what lies in a folder beside manifests
            found.passed.append(f"{source.file}: passed over, it holds no Kubernetes object")
        else:
            yield f"{source.file}:{document.line}: is not a Kubernetes object: it has no apiVersion or no kind"
        return
    item = Object(body, source.file, 0 if source.rendered else document.line)
    found.objects.append(item)
    found.twice += [(item, line, key) for line, key in document.twice]
    yield from (f"{source.file}:{document.line}: {item}: {text}" for _, text in problems(item))
