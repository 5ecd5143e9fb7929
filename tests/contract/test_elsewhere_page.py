"""docs/elsewhere.md is true: its programs and commands, in two folders that share nothing but the two files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from garrison import cli
from garrison.settings import parse
from harness.documents import blocks

REPO = Path(__file__).parents[2]
PAGE = (REPO / "docs" / "elsewhere.md").read_text()


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    """The bank's and the shop's, as the page has them."""
    bank, shop = blocks(PAGE, "python")
    before = "".join(shop.splitlines(keepends=True)[:-2])
    for name, programs in (("bank", {"bank.py": bank}), ("shop", {"shop.py": shop, "before.py": before})):
        (tmp_path / name).mkdir()
        for file, text in programs.items():
            (tmp_path / name / file).write_text(text)
    return tmp_path


def told(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    words, _, file = command.partition(" > ")
    assert cli.main(words.split()[1:]) == 0, capsys.readouterr()
    said = capsys.readouterr().out
    if file:
        Path(file).write_text(said)
    return "" if file else said


def test_the_commands_say_what_the_page_says(
    repositories: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(REPO / "components"))  # `changes` reads a program in a process of its own
    done = 0
    for block in blocks(PAGE, "console"):
        for repository, command, output in re.findall(
            r"^(shop|bank)\$ (.*)\n((?:(?!shop\$|bank\$).*\n?)*)", block, re.MULTILINE
        ):
            monkeypatch.chdir(repositories / repository)
            assert told(command, capsys).strip() == output.strip(), command
            done += 1
            for file in repositories.glob("*/*.json"):  # each goes into the other repository
                for other in ("shop", "bank"):
                    (repositories / other / file.name).write_text(file.read_text())
    assert done == 3


def test_without_the_file_of_the_other_one_problem_says_what_to_do(
    repositories: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repositories / "shop")
    assert cli.main(["graph", "--app", "shop.py"]) == 2
    assert "shop.py:7: bank.json cannot be read: No such file or directory; write it there: " in capsys.readouterr().err


def test_the_settings_are_some() -> None:
    (text,) = blocks(PAGE, "yaml")
    said = {name.removeprefix("garrison:"): value for name, value in yaml.safe_load(text)["config"].items()}
    found = parse({name: value if isinstance(value, str) else str(value).lower() for name, value in said.items()}, {})
    assert not (found.install_admission or found.install_cert_manager or found.install_openbao)
