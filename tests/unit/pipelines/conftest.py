"""A checkout with one commit and one image, and reports about it."""

from __future__ import annotations

import datetime
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import garrison
from garrison_supply.pipelines import report, subject
from garrison_supply.pipelines.report import Report
from garrison_supply.pipelines.subject import Subject

IMAGE = "registry.example/app@sha256:" + "a" * 64
NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout, made once; tests get copies."""
    folder = tmp_path_factory.mktemp("committed")
    (folder / "stacks").mkdir()
    (folder / "stacks/images.lock").write_text(f'app = "{IMAGE}"\n')
    for command in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "-m", "one")):
        git("-C", str(folder), *command)
    return folder


@pytest.fixture
def checkout(committed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Subject:
    """The working folder of the test; its reports lie in build/reports."""
    shutil.copytree(committed, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    root = Path(garrison.__file__).parents[2]  # for what is started from here
    monkeypatch.setenv("PYTHONPATH", f"{root}/components:{root}/policies")
    monkeypatch.delenv("REPORTS", raising=False)
    monkeypatch.delenv("NEEDS", raising=False)
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
