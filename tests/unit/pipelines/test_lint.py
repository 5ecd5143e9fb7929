"""The command `garrison ci lint`: what it prints, how it ends, and that what it cannot read is never clean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from garrison.cli import main

GOOD = "on: push\npermissions: {}\njobs: {a: {timeout-minutes: 5, steps: []}}\n"
BAD = "on: push\npermissions: {}\njobs:\n  a:\n    steps: []\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    workflows = tmp_path / ".github/workflows"
    workflows.mkdir(parents=True)
    return workflows


def test_clean_files_end_with_nought(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.yml").write_text(GOOD)
    assert main(["ci", "lint"]) == 0
    assert capsys.readouterr().out == "0 findings in 1 file\n"


def test_findings_end_with_one_and_have_the_keys_of_check(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.yml").write_text(BAD)
    assert main(["ci", "lint", "--format", "json"]) == 1
    said = json.loads(capsys.readouterr().out)
    (row,) = said["findings"]
    assert said["report"] == "lint"
    assert {"rule", "severity", "file", "path", "message", "remedy"} <= row.keys()
    assert (row["rule"], row["severity"], row["line"]) == ("missing-timeout", "low", 4)
    assert main(["ci", "lint", ".github/workflows/a.yml"]) == 1
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == "LOW  missing-timeout  jobs.a"
    assert second.startswith("     .github/workflows/a.yml:4: a job ends")
    assert last == "1 finding (1 low) in 1 file"


def test_sarif_describes_its_rules_and_points_at_the_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.yml").write_text(BAD)
    (here / "b.yml").write_text("on: [push")
    assert main(["ci", "lint", "--format", "sarif"]) == 2
    run = json.loads(capsys.readouterr().out)["runs"][0]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert rules.keys() == {"missing-timeout", "unreadable-workflow"}
    assert "OWASP CICD-SEC-7" in rules["missing-timeout"]["help"]["text"]
    places = {one["ruleId"]: one["locations"][0]["physicalLocation"] for one in run["results"]}
    assert places["missing-timeout"] == {
        "artifactLocation": {"uri": ".github/workflows/a.yml"},
        "region": {"startLine": 4},
    }


def test_what_cannot_be_read_is_a_finding_and_two(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "a.yml").write_text(GOOD)
    (here / "b.yml").write_text("on: [push")
    assert main(["ci", "lint", "--format", "json"]) == 2
    assert [row["rule"] for row in json.loads(capsys.readouterr().out)["findings"]] == ["unreadable-workflow"]


@pytest.mark.parametrize("arguments", [[], ["none.yml"], ["empty"]])
def test_nothing_to_check_is_an_error(
    here: Path, tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["ci", "lint", *arguments]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_trust_and_list(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step = "[{uses: Owner/Name@" + "0" * 40 + "}]"
    (here / "a.yml").write_text(GOOD.replace("steps: []", f"permissions: {{issues: write}}, steps: {step}"))
    assert main(["ci", "lint"]) == 1
    assert main(["ci", "lint", "--trust", "owner/name"]) == 0
    assert main(["ci", "lint", "--list"]) == 0
    assert "unpinned-uses" in capsys.readouterr().out


def test_the_table_prints_no_command_and_no_line_of_a_stranger(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uses = '"a/b@main\\n::error::x\\e[2J"'
    (here / "a.yml").write_text(GOOD.replace("steps: []", f"steps: [{{uses: {uses}}}]"))
    assert main(["ci", "lint"]) == 1
    out = capsys.readouterr().out
    assert "unpinned-uses" in out
    assert not any(line.startswith("::") for line in out.splitlines())
    assert "\x1b" not in out
