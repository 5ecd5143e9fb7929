"""A checkout with one commit and one image, and reports about it."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import garrison
from garrison.pipelines import report, subject
from garrison.pipelines.report import Report
from garrison.pipelines.subject import Subject

IMAGE = "registry.example/app@sha256:" + "a" * 64
NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """The working folder of the test; its reports lie in build/reports."""
    monkeypatch.chdir(tmp_path)
    root = Path(garrison.__file__).parents[2]  # for what is started from here
    monkeypatch.setenv("PYTHONPATH", f"{root}/components:{root}/policies")
    monkeypatch.delenv("REPORTS", raising=False)
    monkeypatch.delenv("NEEDS", raising=False)
    Path("stacks").mkdir()
    Path("stacks/images.lock").write_text(f'app = "{IMAGE}"\n')
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "one")
    return subject.current()


@pytest.fixture
def say(checkout: Subject) -> Callable[..., Report]:
    """Writes a report that passes, with what the test wants otherwise."""

    def write(name: str, **other: object) -> Report:
        fields: dict[str, object] = {
            "name": name,
            "commit": checkout.commit,
            "images": checkout.images,
            "started": NOW,
            "finished": NOW,
            "command": ["true"],
            "exit": 0,
            "output": None,
            "lines": [],
        }
        made = Report(**(fields | other))  # type: ignore[arg-type]
        report.write(report.folder(), made)
        return made

    return write
