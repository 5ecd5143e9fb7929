"""Limits that are high enough stay, lower ones are raised, and what may not be raised is said with its command."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import limits
from harness.errors import HarnessError


@pytest.fixture
def system(tmp_path: Path) -> Path:
    folder = tmp_path / "fs" / "inotify"
    folder.mkdir(parents=True)
    for name in limits.NEEDED:
        (tmp_path / name.replace(".", "/")).write_text("128\n")
    return tmp_path


def read(system: Path) -> dict[str, int]:
    return {name: int((system / name.replace(".", "/")).read_text()) for name in limits.NEEDED}


def test_what_is_too_low_is_raised_and_said(system: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits.ensure(system)
    assert read(system) == dict(limits.NEEDED)
    assert "raised from 128" in capsys.readouterr().err


def test_what_is_enough_stays(system: Path) -> None:
    higher = {name: needed + 1 for name, needed in limits.NEEDED.items()}
    for name, value in higher.items():
        (system / name.replace(".", "/")).write_text(str(value))
    limits.ensure(system)
    assert read(system) == higher


def test_what_may_not_be_raised_names_the_command(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "write_text", refuse)
    with pytest.raises(HarnessError, match=r"sysctl -w fs\.inotify\.max_user_instances=8192"):
        limits.ensure(system)


def test_a_system_that_has_no_such_files_lets_none_be_raised(system: Path, tmp_path: Path) -> None:
    """As a container does, whose /proc/sys is read-only, even for root."""
    assert limits.raisable(system)
    assert not limits.raisable(tmp_path / "elsewhere")
