"""The Docker engine: one clear sentence where it cannot be had; what a killed daemon left is no obstacle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness import apt, engine
from harness.errors import HarnessError


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with no docker in PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("DOCKER_HOST", raising=False)


def test_without_docker_and_without_apt_it_says_what_to_do(no_engine: None) -> None:
    assert not apt.can_install()
    with pytest.raises(HarnessError, match=r"^no Docker engine answers: start Docker[^\n]*$"):
        engine.ensure()


def test_a_remote_engine_is_not_replaced_by_a_local_one(no_engine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with pytest.raises(HarnessError, match="DOCKER_HOST does not answer"):
        engine.ensure()


@pytest.mark.parametrize("left", ["own", "999999999", "no number", ""])
def test_a_pid_file_left_behind_names_no_daemon(left: str, tmp_path: Path) -> None:
    (tmp_path / "docker.pid").write_text(str(os.getpid()) if left == "own" else left)
    assert not engine.is_daemon(engine.pid(tmp_path / "docker.pid"))


def test_a_missing_package_is_asked_for_by_name(no_engine: None) -> None:
    with pytest.raises(HarnessError, match="mmdebstrap is missing: install mmdebstrap"):
        apt.need("mmdebstrap", "mmdebstrap")
