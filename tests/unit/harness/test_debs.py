"""Package locks: what they hold, and that a file is believed only for its hash."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import debs, oci
from harness.errors import HarnessError
from harness.recipes import BASES
from harness.rootfs import lock_of


def package(folder: Path) -> debs.Deb:
    """A real package, made here and put where the cache keeps fetched ones."""
    (folder / "tree/DEBIAN").mkdir(parents=True)
    (folder / "tree/usr/bin").mkdir(parents=True)
    (folder / "tree/usr/bin/hello").write_text("hello")
    control = "Package: hello\nVersion: 1:2-3\nArchitecture: all\nMaintainer: nobody\nDescription: greets\n"
    (folder / "tree/DEBIAN/control").write_text(control)
    built = folder / "hello.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", folder / "tree", built], check=True, stdout=-3)
    deb = debs.Deb("hello", "1:2-3", oci.file_digest(built)[7:])
    deb.cached.parent.mkdir(parents=True)
    built.rename(deb.cached)
    return deb


def test_a_lock_gives_files_and_files_leave_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GARRISON_CACHE", str(tmp_path / "cache"))
    deb = package(tmp_path)
    debs.write_lock(tmp_path / "lock", [deb])
    debs.extract(debs.files(tmp_path / "lock"), tmp_path / "root")
    assert (tmp_path / "root/usr/bin/hello").read_text() == "hello"
    assert "Version: 1:2-3" in (tmp_path / "root/var/lib/dpkg/status.d/hello").read_text()


def test_a_file_that_is_not_the_pinned_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GARRISON_CACHE", str(tmp_path / "cache"))
    deb = package(tmp_path)
    assert debs.fetched(deb)
    deb.cached.write_bytes(deb.cached.read_bytes() + b"x")
    assert not debs.fetched(deb)


@pytest.mark.parametrize("text", ["hello 1.0\n", "hello 1.0 abc extra\n"])
def test_a_broken_lock_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock").write_text(text)
    with pytest.raises(HarnessError, match=r"not a package lock .*harness\.images lock"):
        debs.read_lock(tmp_path / "lock")
    with pytest.raises(HarnessError, match="not a package lock"):
        debs.read_lock(tmp_path / "missing")


@pytest.mark.parametrize("base", BASES, ids=lambda base: base.name)
def test_the_committed_locks_are_those_of_the_recipes(base) -> None:  # type: ignore[no-untyped-def]
    locked = debs.read_lock(lock_of(base))
    assert [deb.name for deb in locked] == sorted(base.debs)
    assert all(len(deb.sha256) == 64 for deb in locked)
    assert "http" not in lock_of(base).read_text()
