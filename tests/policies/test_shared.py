"""Further public fixtures, where a workspace keeps them: the verdict is right, or the miss is explained.

They stand beside the checkout (policies/shared.py) and are never needed: `pytest` says in a line of its own how many
of these cases ran. Each file is an inventory of its own.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from garrison_policies.language.rule import Finding
from garrison_policies.rules import RULES
from policies.fixtures import findings
from policies.shared import Case, cases, found_in, rows

MISSES = Path(__file__).parent / "misses.tsv"
here = pytest.mark.skipif(not cases(), reason="no shared corpora beside this checkout")


@functools.cache
def judged(file: str) -> list[Finding]:
    return findings(RULES, found_in(file))


def missed(case: Case) -> bool:
    refused = any(
        case.control in one.controls
        and one.object is not None
        and case.object in (None, (one.object.kind, one.object.namespace, one.object.name))
        for one in judged(case.file)
    )
    return refused != case.fails


def explained() -> dict[str, str]:
    return {row["case_id"]: row["reason"] for row in rows(MISSES)}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in cases()])
def test_the_verdict_is_right_or_the_miss_is_explained(case: Case) -> None:
    assert missed(case) is (case.id in explained())


@here
def test_the_cases_are_there_to_be_read() -> None:
    """Positive control: objects on both sides, and every one of them stands in its file."""
    assert {case.fails for case in cases()} == {True, False}
    for case in cases():
        there = {(item.kind, item.namespace, item.name) for item in found_in(case.file)}
        assert case.object is None or case.object in there, case.id


@here
def test_each_explanation_is_of_a_case() -> None:
    assert explained().keys() <= {case.id for case in cases()}
    assert all(len(reason.split()) > 4 for reason in explained().values())
