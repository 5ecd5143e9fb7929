"""docs/ci.md is true: its commands run and print what it says, its table is the rules', its steps are there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from garrison_supply.pipelines.gitlab import Pipeline
from garrison_supply.pipelines.rule import File
from garrison_supply.pipelines.rules import RULES

REPO = Path(__file__).parents[3]
PAGE = REPO / "docs/ci.md"
MARK = "<!-- rules:"


def test_each_command_prints_what_the_page_says() -> None:
    blocks = re.findall(r"^```console\n\$ garrison (.*?)\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for command, expected in blocks:
        words = [sys.executable, "-m", "garrison", *command.split()]
        env = {**os.environ, "PYTHONPATH": f"{REPO}/components:{REPO}/policies"}
        done = subprocess.run(words, cwd=REPO, env=env, capture_output=True, text=True, check=False)
        assert (done.stdout, done.returncode) == (expected, 0)


def test_the_table_is_the_rules() -> None:
    """`GARRISON_GOLDEN=write` renews it."""
    systems = {Pipeline: "GitLab", File: "both"}
    rows = ["| rule | must be so | for | severity | asked for by |", "| --- | --- | --- | --- | --- |"]
    rows += [
        f"| `{rule.id}` | {rule.title} | {systems.get(rule.reads, 'GitHub')} | {rule.severity.name.lower()} "
        f"| {'; '.join(rule.references)} |"
        for rule in RULES
    ]
    head, mark, rest = PAGE.read_text().partition(MARK)
    comment = rest.partition("\n")[0]
    text = f"{head}{mark}{comment}\n" + "\n".join(rows) + "\n"
    if os.environ.get("GARRISON_GOLDEN") == "write":
        PAGE.write_text(text)
    assert PAGE.read_text() == text


def test_every_step_is_told_and_there() -> None:
    steps = {file.name for file in (REPO / "ci/steps").iterdir() if os.access(file, os.X_OK)}
    table = PAGE.read_text().partition("## Setting it up")[0]
    told = set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
    assert steps == told


@pytest.mark.parametrize("gate", ["change", "release", "nightly"])
def test_the_gates_ask_for_reports_that_steps_write(gate: str) -> None:
    names = tomllib.loads((REPO / "ci/gate.toml").read_text())["gates"][gate]
    for name in names:
        step = REPO / "ci/steps" / name.partition("/")[0]
        assert re.search(rf"\bcheck (--json )?{name} -- ", step.read_text()), name
        assert f"`{name}`" in PAGE.read_text()


@pytest.mark.parametrize(("gate", "file", "job"), [("change", "checks.yml", "gate"), ("release", "main.yml", "deploy")])
def test_the_jobs_that_judge_fetch_every_report_they_ask_for(gate: str, file: str, job: str) -> None:
    names = tomllib.loads((REPO / "ci/gate.toml").read_text())["gates"][gate]
    text = (REPO / "ci/github" / file).read_text()
    fetched = re.findall(r'pattern: "\{(.*)\}"', text[text.index(f"\n  {job}:") :])[0].split(",")
    assert {name.partition("/")[0] for name in names} <= set(fetched)
