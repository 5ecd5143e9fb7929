"""Further public cases that a workspace may keep beside the checkout. They add to the tests and are never needed."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

from garrison_policies.language.objects import Object
from harness.paths import REPO
from policies.fixtures import objects

CORPORA = REPO.parent / "shared" / "corpora"
# Fixtures of kube-linter that CASES.tsv leaves out, with the control each is about.
ALSO = {"dangling-service": "net.selector", "wildcard-in-rules": "rbac.wildcard"}


@dataclass(frozen=True)
class Case:
    """One verdict: of an object (kind, namespace, name), or of the whole file."""

    id: str
    control: str
    fails: bool
    file: str
    object: tuple[str, str, str] | None


def rows(path: Path) -> list[dict[str, str]]:
    """A table; empty where there is none."""
    if not path.exists():
        return []
    with path.open() as table:
        return list(csv.DictReader(table, delimiter="\t"))


@functools.cache
def cases() -> tuple[Case, ...]:
    """Every case of CASES.tsv, and those of kube-linter that it leaves out."""
    listed = (
        _case(row["case_id"], row["canonical"], row["file"], row, whole=row["unit"] == "file")
        for row in rows(CORPORA / "CASES.tsv")
    )
    also = (
        _case(f"{control}:{row['kind']}:{row['name']}", ALSO[control], f"kube-linter/{row['file']}", row)
        for row in rows(CORPORA / "kube-linter" / "index.tsv")
        if (control := row["control"]) in ALSO
    )
    return (*listed, *also)


def _case(name: str, control: str, file: str, row: dict[str, str], *, whole: bool = False) -> Case:
    found = None if whole or row["kind"] == "*" else (row["kind"], row["namespace"], row["name"])
    return Case(name, control, row["verdict"] == "fail", file, found)


@functools.cache
def found_in(file: str) -> tuple[Object, ...]:
    return tuple(objects((CORPORA / file).read_text(), file))


def everything() -> tuple[Object, ...]:
    """Every object of every file, whatever it is there to show; each once."""
    return tuple(item for file in sorted({case.file for case in cases()}) for item in found_in(file))
