"""What a copy of the templates carries is what this repository pins, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from harness.parts import part
from harness.paths import REPO
from unit.pipelines import copied


@pytest.mark.parametrize(("name", "made"), [("tools.tsv", copied.table), ("requirements.lock", copied.lock)])
def test_the_lists_are_those_of_this_repository(name: str, made: Callable[[], str]) -> None:
    file = REPO / "ci" / name
    if os.environ.get("GARRISON_GOLDEN") == "write":
        file.write_text(made())
    assert file.read_text() == made(), "write it: GARRISON_GOLDEN=write pytest tests/unit/pipelines/test_copied.py"


def test_the_tools_are_of_the_versions_that_the_copied_settings_name() -> None:
    text = (REPO / "ci/scan.toml").read_text()
    for name in ("trivy", "cosign"):
        assert f'version = "{part(name).version.removeprefix("v")}"' in text
