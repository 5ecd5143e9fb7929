"""All rules over all public fixtures: at least 99 % of the verdicts of every control, and every miss explained.

`pytest tests/policies/test_corpora.py -s` prints the table. Each file is an inventory of its own.
"""

from __future__ import annotations

import csv
import functools
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from garrison_policies.language.rule import Finding
from garrison_policies.rules import RULES
from policies.fixtures import CORPORA, findings, objects

MISSES = Path(__file__).parent / "misses.tsv"
ENOUGH = 0.99
# Fixtures of kube-linter that CASES.tsv leaves out, with the control each is about.
ALSO = {"dangling-service": "net.selector", "wildcard-in-rules": "rbac.wildcard"}


@dataclass(frozen=True)
class Case:
    id: str
    control: str
    fails: bool
    file: str
    object: tuple[str, str, str] | None  # kind, namespace, name; None for the whole file


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as table:
        return list(csv.DictReader(table, delimiter="\t"))


def cases() -> list[Case]:
    return [
        Case(
            row["case_id"],
            row["canonical"],
            row["verdict"] == "fail",
            row["file"],
            (row["kind"], row["namespace"], row["name"]) if row["unit"] == "object" else None,
        )
        for row in rows(CORPORA / "CASES.tsv")
    ]


def further_cases() -> list[Case]:
    return [
        Case(
            f"{row['control']}:{row['kind']}:{row['name']}",
            ALSO[row["control"]],
            row["verdict"] == "fail",
            f"kube-linter/{row['file']}",
            (row["kind"], row["namespace"], row["name"]) if row["kind"] != "*" else None,
        )
        for row in rows(CORPORA / "kube-linter" / "index.tsv")
        if row["control"] in ALSO
    ]


@functools.cache
def found_in(file: str) -> list[Finding]:
    return findings(RULES, objects((CORPORA / file).read_text(), file))


def refused(case: Case) -> bool:
    return any(
        case.control in one.controls
        and one.object is not None
        and case.object in (None, (one.object.kind, one.object.namespace, one.object.name))
        for one in found_in(case.file)
    )


def missed(case: Case) -> bool:
    return refused(case) != case.fails


def explained() -> dict[str, str]:
    return {row["case_id"]: row["reason"] for row in rows(MISSES)}


def test_the_fixtures_are_there_to_be_read() -> None:
    """Positive control: objects on both sides, and every one of them stands in its file."""
    found = cases()
    assert len(found) > 150
    assert {case.fails for case in found} == {True, False}
    for case in found:
        there = {(item.kind, item.namespace, item.name) for item in objects((CORPORA / case.file).read_text())}
        assert case.object is None or case.object in there, case.id


@pytest.mark.parametrize("control", sorted({case.control for case in cases()}))
def test_verdicts_are_right(control: str) -> None:
    mine = [case for case in cases() if case.control == control and case.id not in explained()]
    wrong = [case.id for case in mine if missed(case)]
    assert len(mine) - len(wrong) >= ENOUGH * len(mine), wrong


def test_every_miss_is_explained_and_every_explanation_is_of_a_miss() -> None:
    assert {case.id for case in cases() if missed(case)} == set(explained())
    assert all(len(reason.split()) > 4 for reason in explained().values())


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in further_cases()])
def test_fixtures_that_name_a_control_but_are_no_case(case: Case) -> None:
    assert not missed(case)


def test_the_table() -> None:
    """Every verdict of every control, the explained misses counted as misses."""
    total, right = Counter(case.control for case in cases()), Counter[str]()
    right.update(case.control for case in cases() if not missed(case))
    for control in sorted(total):
        print(f"{control:42} {right[control]:3} of {total[control]:3}")
    print(f"{'all':42} {right.total():3} of {total.total():3}")
    assert right.total() == total.total() - len(explained())
