"""Public bug reports tried on the linter, where a workspace keeps them; cases of our own are in test_kinds.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from garrison_supply.pipelines.lint import lint
from harness.paths import REPO

CASES = REPO.parent / "shared" / "field-cases"


def inputs() -> Iterator[Any]:
    file = CASES / "cases.json"
    for case in json.loads(file.read_text()) if file.is_file() else ():
        for one in case["inputs"]:
            if one["command"].startswith("garrison ci lint ") and one["expected"][0] in ("has", "not"):
                path = CASES / case["case"] / one["input"]
                yield pytest.param(path, one["expected"], id=f"{case['case']}-{one['input']}")


@pytest.mark.parametrize(("path", "expected"), list(inputs()))
def test_each_shared_workflow_is_judged_as_its_report_says(path: Path, expected: list[str]) -> None:
    word, *rules = expected
    found, unread = lint([path])
    assert not unread
    assert bool({one.rule for one in found} & set(rules)) == (word == "has")
