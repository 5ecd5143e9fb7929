"""`garrison ci run`: a report says what happened, and a run that did not end leaves none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from garrison_supply.pipelines import report
from garrison_supply.pipelines.report import Report
from garrison_supply.pipelines.subject import Subject
from unit.verbs import ci as main

PYTHON = [sys.executable, "-c"]


def made(name: str = "test/unit") -> Report:
    return report.read(report.folder(), name)


def test_text_is_shown_and_its_end_kept(checkout: Subject, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "test/unit", "--", *PYTHON, "for n in range(50): print(n)"]) == 0
    assert capfd.readouterr().out.splitlines()[0] == "0"
    found = made()
    assert (found.exit, found.output, len(found.lines), found.lines[-1]) == (0, None, 40, "49")
    assert (found.commit, found.images) == (checkout.commit, checkout.images)
    assert found.started <= found.finished


def test_json_is_kept(checkout: Subject) -> None:
    assert main(["run", "--json", "scan/images", "--", *PYTHON, "print('[1]')"]) == 0
    assert made("scan/images").output == [1]


@pytest.mark.parametrize(
    ("program", "code"),
    [
        ("import sys; print('[]'); sys.exit(1)", 1),
        ("import sys; print('[]'); sys.exit(2)", 2),
        ("print('{')", 2),
        ("pass", 2),
        ("import os; os.kill(os.getpid(), 9)", 137),
    ],
)
def test_what_is_promised_as_json_and_is_none_could_not_be_done(checkout: Subject, program: str, code: int) -> None:
    assert main(["run", "--json", "scan/images", "--", *PYTHON, program]) == code
    assert made("scan/images").exit == code


def test_a_command_that_cannot_start_leaves_no_report(checkout: Subject, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "test/unit", "--", "true"]) == 0
    assert made()
    assert main(["run", "test/unit", "--", "no-such-program-here"]) == 2
    assert "cannot be started" in capsys.readouterr().err
    assert not report.path(report.folder(), "test/unit").exists()


def test_garrison_is_the_one_that_runs(checkout: Subject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of that name in PATH, left there by whatever ran before, is not taken for it."""
    (tmp_path / "garrison").write_text("#!/bin/sh\necho '[]'\n")
    (tmp_path / "garrison").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    main(["run", "lint/workflows", "--", "garrison", "--version"])
    assert made("lint/workflows").lines == ["garrison 0.1.0"]


def test_outside_of_a_checkout_there_is_no_subject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert main(["run", "test/unit", "--", "true"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_bills_are_counted_by_digest(checkout: Subject, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("build/images/app")
    folder.mkdir(parents=True)
    digest = next(iter(checkout.images.values())).partition("@")[2]
    parts = [{"purl": "pkg:deb/debian/a@1"}, {"purl": "pkg:deb/debian/a@1"}, {"purl": "pkg:pypi/b@2"}, {}]
    bill = {"bomFormat": "CycloneDX", "metadata": {"component": {"version": digest}}, "components": parts}
    (folder / "sbom.cdx.json").write_text(json.dumps(bill))
    assert main(["bills", "--images", "build/images"]) == 0
    assert json.loads(capsys.readouterr().out) == {"app": {"image": checkout.images["app"], "packages": 1}}
    bill["metadata"] = {}
    (folder / "sbom.cdx.json").write_text(json.dumps(bill))
    assert main(["bills", "--images", "build/images"]) == 2
    assert "no bill of materials" in capsys.readouterr().err
