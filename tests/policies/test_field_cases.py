"""Faults that were reported of other checkers in public, tried on this one; and what a workspace keeps beside it.

Our own texts are of the same kinds as those reports, never the same. The workspace's cases add to them and are never
needed: `pytest` says in a line of its own how many of them ran.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from garrison_policies.commands import check
from harness.paths import REPO
from policies.field_cases import CASES, Case

FIELD = REPO.parent / "shared" / "field-cases"


def found(files: list[Path], capsys: pytest.CaptureFixture[str]) -> set[str]:
    """The rules that the command finds broken."""
    code = check.main([*map(str, files), "--format", "json"])
    said = json.loads(capsys.readouterr().out)["findings"]
    assert code in (0, 1)
    return {one["rule"] for one in said}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
def test_what_was_reported_of_others(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.yaml"
    path.write_text(case.text)
    assert (case.rule in found([path], capsys)) is case.found


def test_every_report_has_a_side_that_is_found_and_one_that_is_not() -> None:
    """Positive control."""
    rules = {case.rule for case in CASES}
    assert all({case.found for case in CASES if case.rule == rule} == {True, False} for rule in rules)


def shared() -> list[Any]:
    """The workspace's inputs for `garrison check` on one file, each with what is to be found in it, or not."""
    if not (FIELD / "cases.json").exists():
        return []
    listed = [(case["case"], one) for case in json.loads((FIELD / "cases.json").read_text()) for one in case["inputs"]]
    return [
        pytest.param(FIELD / case / one["input"], one["expected"], id=f"{case}-{one['input']}")
        for case, one in listed
        if one["command"].startswith("garrison check ") and one["expected"][0] in ("has", "not")
    ]


@pytest.mark.parametrize(("path", "expected"), shared())
def test_the_verdict_of_the_workspace(path: Path, expected: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    verdict, *rules = expected
    assert bool(found([path], capsys) & set(rules)) is (verdict == "has")
