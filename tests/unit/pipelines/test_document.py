"""Reading files: what CI systems read differently, where things stand, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from garrison_supply.pipelines import load
from garrison_supply.pipelines.document import Reference, parse, read
from garrison_supply.pipelines.errors import PipelineError, UnreadableError
from garrison_supply.pipelines.github import Workflow
from garrison_supply.pipelines.gitlab import Pipeline


def test_words_and_commits_stay_words() -> None:
    """YAML 1.1 would make True of `on`, an octal number of a tag, and zero of a commit in digits."""
    body = parse("a.yml", f"on: push\na: 010\nb: {'0' * 40}\nc: yes\nd: true\ne: 2026-01-01").body
    assert body == {"on": "push", "a": "010", "b": "0" * 40, "c": "yes", "d": True, "e": "2026-01-01"}


def test_lines_lead_to_the_place() -> None:
    document = parse("a.yml", "on: push\njobs:\n  a:\n    steps:\n      - run: one\n      - run: two\n")
    assert document.line(("jobs", "a", "steps", 1, "run")) == 6
    assert document.line(("jobs", "a", "timeout-minutes")) == 3


def test_references_are_kept() -> None:
    assert parse("a.yml", "a: {script: [!reference [.b, script]]}").body["a"]["script"] == [Reference((".b", "script"))]


def test_the_configuration_follows_its_inputs() -> None:
    assert parse("a.yml", "spec: {inputs: {x: }}\n---\na: {script: [x]}").body == {"a": {"script": ["x"]}}


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 25))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("on: [push", "is not YAML"),
        ("on: push\non: pull_request", "'on' stands twice"),
        ("- a\n- b", "its top level is not a mapping"),
        ("", "its top level is not a mapping"),
        ("a: !!python/object/apply:os.system [id]", "is not YAML"),
        ("a: &a [*a]", "nodes when its aliases are written out"),
        (BOMB, "nodes when its aliases are written out"),
        ("[" * 5000, "is not YAML"),
    ],
)
def test_what_is_no_workflow_is_refused_in_one_line(text: str, why: str) -> None:
    with pytest.raises(UnreadableError, match=why) as caught:
        parse("a.yml", text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{on: push, jobs: {a: {steps: []}}}", Workflow),
        ("{name: a, runs: {using: composite, steps: []}}", Workflow),
        ("{a: {script: [x]}}", Pipeline),
        ("{include: [{local: a.yml}]}", Pipeline),
    ],
)
def test_each_system_is_known_by_its_shape(text: str, kind: type) -> None:
    assert isinstance(load.view(parse("a.yml", text)), kind)


@pytest.mark.parametrize("text", ["{a: 1}", "{jobs: {a: {steps: []}}}", "{version: 2, updates: []}"])
def test_a_file_of_no_system_is_not_passed_over(text: str) -> None:
    with pytest.raises(UnreadableError, match="is neither a workflow"):
        load.view(parse("a.yml", text))


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text("#" * 1_000_001)
    with pytest.raises(UnreadableError, match="larger than"):
        read(file)


def test_only_workflows_and_actions_are_read_in_dot_github(tmp_path: Path) -> None:
    for name in (".github/workflows/a.yml", ".github/actions/b/action.yml", ".github/dependabot.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    names = [file.relative_to(tmp_path).as_posix() for file in load.files([tmp_path / ".github"])]
    assert names == [".github/actions/b/action.yml", ".github/workflows/a.yml"]


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no such file or folder"):
        list(load.files([tmp_path / "none"]))
