"""docs/import.md is true: its example is imported as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from garrison import cli, render
from garrison_import.command import parser
from harness.documents import blocks
from harness.paths import REPO
from unit.imported.filling import can_say, graph
from unit.imported.measure import imported

PAGE = (REPO / "docs" / "import.md").read_text()


def test_the_example_is_what_an_import_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop.yaml").write_text(blocks(PAGE, "yaml")[0])
    assert cli.main(["import", "shop.yaml", "-o", "shop.py"]) == 0
    program, lock, report = blocks(PAGE, "text")
    assert Path("shop.py").read_text() == program
    assert Path("images.lock").read_text() == lock
    assert capsys.readouterr().err == report


def test_the_example_renders_when_it_is_filled_in(tmp_path: Path) -> None:
    source = tmp_path / "shop.yaml"
    source.write_text(blocks(PAGE, "yaml")[0])
    made = imported([str(source)], "shop")
    if not can_say(made):
        pytest.skip("the words for secrets in an application's words are not there yet")
    assert render(graph(made, tmp_path))


def test_it_names_options_that_there_are() -> None:
    known = {option for action in parser()._actions for option in action.option_strings}
    assert set(re.findall(r"`(--[a-z]+)", PAGE)) - {"--app", "--host"} <= known
