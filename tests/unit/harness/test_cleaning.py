"""`make clean` says first, removes only what is its own, and takes up what an interrupted one left."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harness import bootstrap, cleaning, engine, environment
from harness.errors import HarnessError
from harness.parts import part, toolchain_key


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
    def interrupted(place: Path) -> None:
        raise KeyboardInterrupt

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


def test_it_says_how_much_it_frees_and_has_freed(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (cache / "images/big").mkdir(parents=True)
    (cache / "images/big/file").write_bytes(b"x" * 30_000_000)
    (cache / "sslyze-1").mkdir()
    cleaning.clean(remove=False)
    before = capsys.readouterr()
    assert f"  0.03 GB  {cache / 'images'}  images" in before.out
    assert "0.03 GB  in all" in before.out and "frees this" in before.err
    cleaning.clean(remove=True)
    assert f"freed 0.03 GB in {cache}" in capsys.readouterr().err
    assert names(cache) == {"photographs"}


def test_what_is_old_goes_while_a_cluster_runs(cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of each image the newest stays, of parts those of the table, of environments the one of the lock."""
    record = tmp_path / "state" / environment.MAIN / "cluster.json"
    record.parent.mkdir(parents=True)
    record.write_text("{}")
    kept = [part("kind").folder, bootstrap.folder(), cache / "bin" / toolchain_key(), cache / "images/image-nats-2"]
    old = [cache / "parts/kind-v0-1", cache / "venv/0", cache / "bin/0", cache / "images/image-nats-1"]
    for age, folder in enumerate([*old, *kept]):
        folder.mkdir(parents=True)
        (folder / "file").write_text("x")
        os.utime(folder, (age, age))
    cleaning.clean(remove=False, old=True)
    assert all(folder.exists() for folder in [*old, *kept])
    assert 'ARGS="--old --yes"' in capsys.readouterr().err
    cleaning.clean(remove=True, old=True)
    assert [folder.exists() for folder in old] == [False] * 4
    assert all(folder.exists() for folder in kept)
    assert names(cache) == {"parts", "venv", "bin", "images", "photographs"}
