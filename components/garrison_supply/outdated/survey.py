"""Asks every source in turn; one that does not answer is noted and the others are asked all the same."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from garrison_supply.outdated import debian, go, python
from garrison_supply.outdated.model import Behind, UnknownError
from garrison_supply.scan import database
from garrison_supply.scan.model import ScanError
from garrison_supply.scan.settings import Settings


@dataclass
class Survey:
    """What the sources said.

    held: what is behind and meant to be; a known vulnerability is never held back.
    files: what the files with pins would say if everything newest were taken.
    """

    rows: list[Behind] = field(default_factory=list)
    held: list[Behind] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    files: dict[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """What sources are asked with."""

    settings: Settings
    environ: Mapping[str, str]
    held: frozenset[str]


Source = Callable[[Question, Survey], None]


def ask_all(settings: Settings, environ: Mapping[str, str], *, without: tuple[str, ...] = ()) -> Survey:
    """The answers of all sources, except those in `without`."""
    survey = Survey()
    today = datetime.datetime.now(datetime.UTC).date()
    question = Question(settings, environ, settings.outdated.held(today))
    for name, source in SOURCES.items():
        if name in without:
            continue
        try:
            source(question, survey)
        except (UnknownError, ScanError) as error:
            survey.unknown[name] = str(error)
        except OSError as error:
            survey.unknown[name] = f"{error.filename}: {error.strerror}"
    survey.held = [row for row in survey.rows if row.name in question.held and not row.fixing]
    survey.rows = sorted(row for row in survey.rows if row not in survey.held)
    return survey


def write(files: Mapping[Path, str]) -> list[Path]:
    """Write all `files` that change, or none: nothing is in place before everything is on the disk."""
    changed = {path: text for path, text in files.items() if not path.exists() or path.read_text() != text}
    scratch = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in changed}
    try:
        for path, text in changed.items():
            scratch[path].write_text(text)
        for path in changed:
            scratch[path].replace(path)
    finally:
        for left in scratch.values():
            left.unlink(missing_ok=True)
    return list(changed)


def _python(question: Question, survey: Survey) -> None:
    for file in question.settings.outdated.requirements:
        latest = python.newest(file, question.environ, question.held)
        survey.rows += python.behind(file, latest)
        survey.files |= {file: python.bumped(file.read_text(), latest), python.locked(file): latest}
    for file in question.settings.outdated.wheels:
        survey.rows += python.behind(file, python.newest(file, question.environ))


def _vulnerable(question: Question, survey: Survey) -> None:
    for file in question.settings.outdated.requirements:
        survey.rows += python.vulnerable(python.locked(file))


def _debian(question: Question, survey: Survey) -> None:
    locks = question.settings.outdated.debian
    if not locks:
        return
    cache = Path(question.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    apt = debian.Apt(cache / "garrison-outdated" / "apt")
    apt.update()
    packages = debian.known(apt, (name for lock in locks for name in debian.pins(lock)))
    for lock in locks:
        survey.rows += debian.behind(lock, packages)
        survey.files[lock] = debian.relocked(lock, packages, question.held)


def _go(question: Question, survey: Survey) -> None:
    """Each module has its own answer: one the proxy refuses leaves the others known."""
    silent = []
    for file in question.settings.outdated.go:
        try:
            survey.rows += go.behind(file)
        except UnknownError as error:
            silent.append(f"{file}: {error}")
    if silent:
        raise UnknownError("; ".join(silent))


def _database(question: Question, survey: Survey) -> None:
    """A database in a folder is ours to renew; Trivy's own is fetched when it is needed."""
    base = question.settings.database
    if base.folder is None:
        return
    made, now = database.updated(base.folder), datetime.datetime.now(datetime.UTC)
    if now - made > base.max_age:
        current, wanted = f"{made:%Y-%m-%d}", f"{now - base.max_age:%Y-%m-%d} or later"
        row = Behind(kind="database", name="trivy.db", file=str(base.folder), current=current, newest=wanted)
        survey.rows.append(row)


SOURCES: Mapping[str, Source] = {
    "python": _python,
    "known-vulnerabilities": _vulnerable,
    "debian": _debian,
    "go": _go,
    "database": _database,
}
