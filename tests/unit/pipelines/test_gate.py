"""The gate: open for reports that are there, whole, fresh, about this and passed; closed, with its reason, else."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from garrison_supply.pipelines import gate, report
from garrison_supply.pipelines.errors import PipelineError
from garrison_supply.pipelines.gate import Gate
from garrison_supply.pipelines.report import Report
from garrison_supply.pipelines.subject import Subject
from unit.pipelines.conftest import IMAGE, NOW, git
from unit.verbs import ci as main

Say = Callable[..., Report]
HOUR = datetime.timedelta(hours=1)
CLEAN = {"report": "scan", "clean": True, "targets": {IMAGE: 3}, "failing": [], "expired": []}
CVE = {"kind": "vulnerability", "id": "CVE-1", "where": "openssl", "installed": "1", "fixed": "2", "target": IMAGE}


def against(checkout: Subject, *names: str, now: datetime.datetime = NOW) -> list[str]:
    asked = Gate(reports=names or ("test/unit",), max_age=24 * HOUR)
    return list(gate.judge(asked, report.folder(), checkout, now))


def test_reports_that_pass_open_it(checkout: Subject, say: Say) -> None:
    say("test/unit")
    say("scan/images", output=CLEAN)
    say("build/bills", output={"app": {"image": IMAGE, "packages": 3}})
    assert against(checkout, "test/unit", "scan/images", "build/bills") == []


def test_a_missing_report_closes_it_and_names_the_step(checkout: Subject) -> None:
    assert against(checkout) == ["test/unit: there is no report; run ci/steps/test"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"commit": "b" * 40}, "is about commit bbbbbbbbbbbb"),
        ({"images": {}}, "is about other images: app was no such image"),
        ({"images": {"app": IMAGE.replace("a" * 64, "b" * 64)}}, "is about other images: app was"),
        ({"started": NOW - 26 * HOUR, "finished": NOW - 25 * HOUR}, "is stale: 25 h old, the limit is 24 h"),
        ({"finished": NOW + HOUR}, "is from the future"),
        ({"started": NOW + HOUR / 60}, "is from the future, or ended before it began"),
        ({"exit": 1, "lines": ["3 failed"]}, "found something: 3 failed"),
        (
            {"exit": 2, "lines": ["garrison scan: database is old"]},
            "could not be done (exit code 2): garrison scan: data",
        ),
        ({"exit": 139}, "could not be done (exit code 139)"),
        (
            {"exit": 1, "output": {**CLEAN, "clean": False, "failing": [CVE]}},
            "vulnerability CVE-1: openssl 1 (fixed in 2)",
        ),
        ({"exit": 1, "output": {**CLEAN, "expired": ["CVE-2 of a"]}}, "an ignore has expired: CVE-2 of a"),
        (
            {"exit": 1, "output": {"report": "check", "findings": [{"rule": "host-path", "file": "a.yml", "line": 4}]}},
            "host-path:  (a.yml:4)",
        ),
        (
            {"exit": 1, "output": {"report": "outdated", "behind": [{"name": "a", "current": "1", "newest": "2"}]}},
            "a 1 is fixed in 2",
        ),
        (
            {"exit": 1, "output": {"report": "prove", "summary": {"deviations": ["a -> b: was allowed"]}}},
            "a -> b: was allowed",
        ),
        ({"exit": 1, "output": {**CLEAN, "report": "drill", "failing": [CVE]}}, "found something"),
        ({"exit": 1, "output": {"report": ["scan"], "failing": [CVE]}}, "found something"),
        ({"output": {"report": "lint", "findings": [{"rule": "r"}]}}, "says that it passed, and lists what failed"),
        ({"output": {"report": "scan", "targets": {}}}, "says that it passed, and lists what failed"),
        ({"output": {**CLEAN, "clean": False}}, "says that it passed, and lists what failed"),
        ({"output": {**CLEAN, "failing": [CVE]}}, "says that it passed, and lists what failed"),
    ],
)
def test_each_fault_closes_it_for_its_own_reason(checkout: Subject, say: Say, other: dict[str, Any], why: str) -> None:
    say("test/unit")
    assert against(checkout) == []
    say("test/unit", **other)
    (only,) = against(checkout)
    assert only.startswith(f"test/unit: {why}")


def test_what_is_below_the_threshold_of_a_check_may_be_listed(checkout: Subject, say: Say) -> None:
    say("test/unit", output={"report": "check", "findings": [{"rule": "r", "severity": "low"}]})
    assert against(checkout) == []


def test_clocks_may_differ_a_little(checkout: Subject, say: Say) -> None:
    say("test/unit", started=NOW, finished=NOW + HOUR / 20)
    assert against(checkout) == []


def _edited(file: Path, **fields: object) -> str:
    return json.dumps({**json.loads(file.read_text()), **fields})


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda _: "", "cannot be read"),
        (lambda f: f.read_text()[:-9], "cannot be read"),
        (lambda _: "[]", "is of no known schema"),
        (lambda f: _edited(f, schema="garrison.report/2"), "is of no known schema"),
        (lambda f: _edited(f, name="lint/types"), "says that it is lint/types"),
        (lambda f: _edited(f, exit="0"), "is not of schema"),
        (lambda f: _edited(f, exit=False), "is not of schema"),
        (lambda f: _edited(f, commit="main"), "is not of schema"),
        (lambda f: _edited(f, finished="2026-03-01T12:00:00"), "is not of schema"),
        (lambda f: _edited(f, extra=1), "is not of schema"),
        (lambda f: _edited(f, lines=[1]), "is not of schema"),
        (lambda f: _edited(f, images=[]), "is not of schema"),
        (lambda f: _edited(f, command="true"), "is not of schema"),
        (lambda f: _edited(f, lines=["x" * 5_000_000]), "cannot be read (it is larger than"),
        (lambda _: "[" * 100_000, "cannot be read"),
    ],
)
def test_a_report_that_is_none_closes_it(checkout: Subject, say: Say, edit: Callable[[Path], str], why: str) -> None:
    say("test/unit")
    assert against(checkout) == []
    file = report.path(report.folder(), "test/unit")
    file.write_text(edit(file))
    (only,) = against(checkout)
    assert only.startswith("test/unit: the report ")
    assert why in only


def test_a_link_is_no_report(checkout: Subject, say: Say) -> None:
    say("test/unit")
    file = report.path(report.folder(), "test/unit")
    file.rename("elsewhere.json")
    file.symlink_to(Path("elsewhere.json").absolute())
    assert "no regular file" in against(checkout)[0]


def test_one_step_cannot_write_anothers_report(checkout: Subject, say: Say) -> None:
    """What the scanner's job leaves in its own folder is read as its own only."""
    made = say("scan/types")
    (report.folder() / "lint").mkdir()
    assert made.name == "scan/types"
    assert against(checkout, "lint/types") == ["lint/types: there is no report; run ci/steps/lint"]
    for name in ("../lint", "scan/../lint/types", "scan", "/etc/passwd", "scan/a.b"):
        with pytest.raises(PipelineError, match="no name of a report"):
            report.path(report.folder(), name)


@pytest.mark.parametrize(
    ("scan", "bills", "why"),
    [
        (
            {**CLEAN, "targets": {IMAGE: 2, "else": 9}},
            {"app": {"image": IMAGE, "packages": 3}},
            f"saw 2 packages in {IMAGE}",
        ),
        ({**CLEAN, "targets": {}}, {"app": {"image": IMAGE, "packages": 3}}, f"did not look at {IMAGE}"),
        ({**CLEAN, "report": "check"}, {"app": {"image": IMAGE, "packages": 3}}, "nothing can be compared"),
        ({"report": "scan", "clean": True}, {"app": {"image": IMAGE, "packages": 3}}, "nothing can be compared"),
        (CLEAN, ["app"], "nothing can be compared"),
        (CLEAN, None, "nothing can be compared"),
    ],
)
def test_a_scanner_that_saw_too_little_closes_it(
    checkout: Subject, say: Say, scan: object, bills: object, why: str
) -> None:
    say("scan/images", output=scan)
    say("build/bills", output=bills)
    (only,) = against(checkout, "scan/images", "build/bills")
    assert why in only


def test_many_findings_are_counted(checkout: Subject, say: Say) -> None:
    say("test/unit", exit=1, output={"report": "check", "findings": [{"rule": f"r{n}"} for n in range(12)]})
    lines = against(checkout)
    assert len(lines) == 11
    assert lines[-1] == "test/unit: and 2 more"


@pytest.mark.parametrize(
    ("needs", "lines"),
    [
        ("", []),
        ('{"scan": {"result": "success"}}', []),
        ('{"scan": {"result": "failure"}, "step": {"result": "success"}}', ["job scan: failure"]),
        ('{"scan": {"result": "skipped"}}', ["job scan: skipped"]),
    ],
)
def test_jobs_that_did_not_succeed_close_it(needs: str, lines: list[str]) -> None:
    assert list(gate.results(needs)) == lines


def test_odd_job_results_are_an_error() -> None:
    with pytest.raises(PipelineError, match="NEEDS"):
        list(gate.results("[1]"))


@pytest.fixture
def settings(checkout: Subject) -> Path:
    Path("ci").mkdir()
    file = Path("ci/gate.toml")
    file.write_text('max-age-hours = 24\n[gates]\nchange = ["test/unit"]\nempty = []\n')
    return file


def test_the_command_says_open_and_closed(
    settings: Path, say: Say, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    say("test/unit", started=now, finished=now)
    assert main(["gate", "change"]) == 0
    assert capsys.readouterr().out == "gate change: open, 1 reports\n"
    monkeypatch.setenv("NEEDS", '{"a": {"result": "failure"}}')
    assert main(["gate", "change"]) == 1
    assert capsys.readouterr().out == "job a: failure\ngate change: closed, 1 against\n"


@pytest.mark.parametrize("name", ["empty", "none"])
def test_a_gate_without_reports_is_an_error(settings: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gate", name]) == 2
    assert "known gates: change, empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["max-age-hours = 0\n[gates]\nchange = ['a/b']", "[gates]", "max-age-hours = 'x'", "="]
)
def test_odd_settings_are_an_error(settings: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings.write_text(text)
    assert main(["gate", "change"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_changed_checkout_is_another_subject(settings: Path, say: Say, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.datetime.now(datetime.UTC)
    say("test/unit", started=now, finished=now)
    assert main(["gate", "change"]) == 0
    Path("stacks/images.lock").write_text(f'app = "{IMAGE}" # changed\n')
    assert main(["gate", "change"]) == 1
    assert "is about commit" in capsys.readouterr().out
    git("add", "--all")
    git("commit", "--quiet", "-m", "two")
    assert main(["gate", "change"]) == 1


@pytest.mark.parametrize("text", ['app = "registry.example/app:1.0"', 'app = "app@sha256:12"', "app = 1", "", "="])
def test_images_are_named_by_digest(settings: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("stacks/images.lock").write_text(text)
    assert main(["gate", "change"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("garrison ci: stacks/images.lock: ")
