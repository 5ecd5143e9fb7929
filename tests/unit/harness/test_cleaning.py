"""`make clean` says first, removes only what is its own, and takes up what an interrupted one left."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness import cleaning, engine, environment
from harness.errors import HarnessError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that also holds something of somebody else's; no engine."""
    monkeypatch.setenv("GARRISON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(engine, "running", lambda: False)
    for name in ("parts/kind", "venv/bin", "photographs"):
        (tmp_path / "cache" / name).mkdir(parents=True)
        (tmp_path / "cache" / name / "file").write_bytes(b"x" * 10_000)
    return tmp_path / "cache"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_without_being_told_it_only_says(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = names(cache)
    assert cleaning.clean(remove=False) == 0
    out = capsys.readouterr()
    assert "parts  the toolchain" in out.out
    assert "photographs" not in out.out
    assert "nothing was removed" in out.err
    assert names(cache) == before


def test_it_removes_what_is_its_own(cache: Path) -> None:
    cleaning.clean(remove=True)
    assert names(cache) == {"photographs"}


def test_an_interruption_leaves_nothing_that_looks_whole(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove = shutil.rmtree

    def interrupted(place: Path, *, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise KeyboardInterrupt
        remove(place, ignore_errors=ignore_errors)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cleaning.clean(remove=True)
    assert names(cache) == {".removed-parts", "venv", "photographs"}
    cleaning.clean(remove=True)
    assert names(cache) == {"photographs"}


def test_what_a_cluster_uses_stays(cache: Path, tmp_path: Path) -> None:
    record = tmp_path / "state" / environment.MAIN / "cluster.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    with pytest.raises(HarnessError, match="uses the cache: `make down` first"):
        cleaning.clean(remove=True)
    assert "parts" in names(cache)
