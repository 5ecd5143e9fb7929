"""A pinned version that Debian no longer has: the one offered now is taken, if Debian signed it, and that is said.

apt is played by two scripts over a folder of real packages; a test by hand with the real one is in docs/images.md.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness import apt, archive, debs, oci, packages
from harness.debs import Deb
from harness.errors import HarnessError

# Knows the packages listed in $OFFERED, oldest first, one `name version sha256 file` a line; writes down its calls.
APT = """#!/bin/sh
echo "$0 $*" >> "$CALLS"
for word; do
  case $word in
    update | download | show) verb=$word ;;
    --no-all-versions) last=1 ;;
    -*) ;;
    *) case $verb in
      download) found=$(awk -v want="$word" '$1 "=" $2 == want { print $4 }' "$OFFERED")
        [ -n "$found" ] || { echo "E: Version '${word#*=}' for '${word%%=*}' was not found" >&2; exit 100; }
        cp "$found" "./${word%%=*}_1_all.deb" ;;
      show) grep "^$word " "$OFFERED" | if [ "$last" ]; then tail -n 1; else cat; fi |
        awk '{ print "Package: " $1 "\\nVersion: " $2 "\\nSHA256: " $3 "\\n" }' ;;
    esac ;;
  esac
done
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose apt offers what is in `offered`."""
    for name in ("apt-get", "apt-cache"):
        (tmp_path / name).write_text(APT)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "keys.gpg").touch()
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("OFFERED", str(tmp_path / "offered"))
    monkeypatch.setenv("GARRISON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(archive, "KEYRING", tmp_path / "keys.gpg")
    monkeypatch.setattr(apt, "sources", lambda suite: [f"deb mirror {suite} main"])
    return tmp_path


def offer(world: Path, name: str, version: str) -> Deb:
    """A real package among those that the archive has."""
    tree = world / f"tree-{name}-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    fields = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: nobody\nDescription: test\n"
    (tree / "DEBIAN/control").write_text(fields)
    file = world / f"{name}-{version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, file], check=True, stdout=subprocess.DEVNULL)
    deb = Deb(name, version, oci.file_digest(file).removeprefix("sha256:"))
    with (world / "offered").open("a") as lines:
        lines.write(f"{name} {version} {deb.sha256} {file}\n")
    return deb


def gone(name: str, version: str) -> Deb:
    return Deb(name, version, "0" * 64)


def test_what_is_pinned_is_taken_while_it_is_there(world: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lock = world / "base.debs"
    debs.write_lock(lock, [offer(world, "hello", "1")])
    offer(world, "hello", "2")
    assert packages.settled(lock) == lock
    assert not packages.replaced(lock)
    assert [debs.fetched(deb) for deb in debs.read_lock(lock)] == [True]
    assert capfd.readouterr().err == ""


def test_a_version_that_is_gone_is_replaced_and_said_in_one_line(
    world: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its sister of the same source comes along though she is still there; the stranger stays."""
    lock = world / "base.debs"
    offer(world, "hello-data", "1"), (stranger := offer(world, "other", "7"))
    debs.write_lock(lock, [gone("hello", "1"), gone("hello-data", "1"), stranger])
    new = [offer(world, "hello", "2"), offer(world, "hello-data", "2")]
    committed = lock.read_text()
    own = packages.settled(lock)
    assert debs.read_lock(own) == sorted([*new, stranger])
    assert all(path.exists() for path in debs.files(own))
    assert own.is_relative_to(world / "state")
    assert lock.read_text() == committed
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "hello 1 -> 2, hello-data 1 -> 2" in said
    assert "harness.images lock" in said


def test_the_stand_in_stays_until_the_pin_moves(world: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lock = world / "base.debs"
    debs.write_lock(lock, [gone("hello", "1")])
    new = offer(world, "hello", "2")
    own = packages.settled(lock)
    capfd.readouterr()
    assert packages.settled(lock) == own
    assert capfd.readouterr().err == ""
    debs.write_lock(lock, [new])
    assert packages.settled(lock) == lock


def test_only_debians_own_keys_count_for_what_nobody_pinned(world: Path) -> None:
    lock = world / "base.debs"
    debs.write_lock(lock, [gone("hello", "1")])
    offer(world, "hello", "2")
    packages.settled(lock)
    sources = world / "cache/apt-signed/sources.list"
    assert sources.read_text() == f"deb [signed-by={world / 'keys.gpg'}] mirror bookworm main\n"
    *_, last = [line for line in (world / "calls").read_text().splitlines() if "download" in line]
    assert f"-oDir::Etc::sourcelist={sources} -oDir::Etc::sourceparts=/dev/null" in last


def test_without_debians_keys_nothing_is_taken(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = world / "base.debs"
    debs.write_lock(lock, [gone("hello", "1")])
    offer(world, "hello", "2")
    monkeypatch.setattr(archive, "KEYRING", world / "none.gpg")
    with pytest.raises(HarnessError, match="install debian-archive-keyring"):
        packages.settled(lock)
    assert not packages.replaced(lock)


def test_a_file_with_another_hash_is_never_taken_for_gone(world: Path) -> None:
    lock = world / "base.debs"
    debs.write_lock(lock, [Deb("hello", "1", "0" * 64)])
    offer(world, "hello", "1")
    with pytest.raises(HarnessError, match="not the file the lock pins"):
        packages.settled(lock)


def test_a_package_that_is_gone_altogether_is_said(world: Path) -> None:
    lock = world / "base.debs"
    debs.write_lock(lock, [gone("hello", "1"), offer(world, "other", "7")])
    with pytest.raises(HarnessError, match=r"Debian has no hello any more; .*harness\.images lock"):
        packages.settled(lock)
