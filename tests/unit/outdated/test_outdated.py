"""`garrison outdated` against stand-ins for uv, pip-audit, apt and go that answer from files."""

from __future__ import annotations

import datetime
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from garrison_supply.outdated import debian, go, python
from unit.verbs import outdated as main

LOCK = "httpx==0.27.0 \\\n    --hash=sha256:aa\nidna==3.9 \\\n    --hash=sha256:bb\n"
NEWER = "httpx==0.28.1 \\\n    --hash=sha256:cc\nidna==3.9 \\\n    --hash=sha256:bb\n"
DEBS = "# made by: hand\nlibssl3 3.0.1-1 " + "a" * 64 + "\n"
SHOW = "Package: libssl3\nVersion: {version}\nSHA256: " + "b" * 64 + "\n"
MADISON = " libssl3 | {version} | mirror bookworm{suite}/main amd64 Packages\n"
GO_MOD = {"Module": {"Path": "x"}, "Require": [{"Path": "example.com/tool", "Version": "v1.2.3"}],
          "Tool": [{"Path": "example.com/tool/cmd/tool"}]}  # fmt: skip


@dataclass
class Machine:
    """A project with one pin of each kind, all up to date, and the tools that say so."""

    folder: Path

    def __post_init__(self) -> None:
        self.files = {
            "requirements.in": "# why\nhttpx==0.27.0  # pinned\n",
            "requirements.lock": LOCK,
            "base.debs": DEBS,
        }
        for name, text in {**self.files, "go.mod": "", "scan.toml": SETTINGS}.items():
            (self.folder / name).write_text(text)
        self.tool("uv", LOCK)
        self.audit()
        self.tool("apt-get", "bookworm bookworm-security\n")
        self.apt("3.0.1-1")
        self.tool("dpkg", script='[ "$2" = 3.0.2-1 ]')
        self.go("v1.2.2", "v1.2.3", "v2.0.0-rc.1")

    def tool(self, name: str, says: str = "", *, script: str = "") -> None:
        (self.folder / f"{name}.out").write_text(says)
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script or f'cat {self.folder}/{name}.out'}\n")
        path.chmod(0o755)

    def audit(self, **changed: Any) -> None:
        entries = [{"name": "httpx", "version": "0.27.0", "vulns": []}, {"name": "idna", "version": "3.9", "vulns": []}]
        self.tool("pip-audit", json.dumps({"dependencies": [{**entries[0], **changed}, entries[1]]}))

    def apt(self, version: str, suite: str = "") -> None:
        show, madison = SHOW.format(version=version), MADISON.format(version=version, suite=suite)
        (self.folder / "show.out").write_text(show)
        (self.folder / "madison.out").write_text(madison)
        self.tool(
            "apt-cache",
            script=f'case "$*" in *madison*) cat {self.folder}/madison.out;; *) cat {self.folder}/show.out;; esac',
        )

    def go(self, *versions: str) -> None:
        (self.folder / "list.out").write_text(json.dumps({"Versions": list(versions)}))
        (self.folder / "edit.out").write_text(json.dumps(GO_MOD))
        self.tool("go", script=f'[ "$1" = mod ] && exec cat {self.folder}/edit.out; exec cat {self.folder}/list.out')

    def asked(self, *more: str) -> int:
        return main(["--settings", str(self.folder / "scan.toml"), *more])

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()


SETTINGS = """
[scanner]
version = "0.69.3"
[cosign]
version = "3.1.3"
[outdated]
requirements = ["requirements.in"]
debian = ["*.debs"]
go = ["go.mod"]
"""
REMEDY = "raise the pin and lock again; for Python and Debian `garrison outdated --apply` does it"
HOLD = '[[hold]]\nid = "{name}"\nowner = "platform"\nreason = "moves with the engine"\nexpires = {day}\n'


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python3"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return made


def test_what_is_up_to_date_is_said_so(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert machine.asked() == 0
    assert capsys.readouterr().out == "nothing is behind\n"


def test_each_kind_that_is_behind_is_named(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert machine.asked() == 0
    machine.tool("uv", NEWER)
    machine.apt("3.0.2-1")
    machine.go("v1.2.3", "v1.10.0")
    capsys.readouterr()
    assert machine.asked("--format", "json") == 1
    said = json.loads(capsys.readouterr().out)
    assert said["report"] == "outdated"
    rows = {row["name"]: row for row in said["behind"]}
    assert {name: (row["kind"], row["current"], row["newest"]) for name, row in rows.items()} == {
        "httpx": ("python", "0.27.0", "0.28.1"),
        "libssl3": ("debian", "3.0.1-1", "3.0.2-1"),
        "example.com/tool": ("go", "v1.2.3", "v1.10.0"),
    }
    assert machine.asked("--security") == 0, "none of them mends anything known"


def test_what_mends_a_known_vulnerability_is_named_with_its_version(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    assert machine.asked("--security") == 0
    machine.audit(vulns=[{"id": "PYSEC-1", "fix_versions": ["0.27.9", "0.27.10"]}])
    machine.apt("3.0.2-1", suite="-security")
    capsys.readouterr()
    assert machine.asked("--security", "--format", "json") == 1
    fixing = {row["name"]: row["fixing"] for row in json.loads(capsys.readouterr().out)["behind"]}
    assert fixing == {"httpx": "0.27.10 (PYSEC-1)", "libssl3": "3.0.2-1 (security update)"}


def test_a_known_vulnerability_weighs_more_and_comes_first(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.audit(vulns=[{"id": "PYSEC-1", "fix_versions": ["0.27.9"]}])
    machine.go("v1.2.3", "v1.10.0")
    assert machine.asked() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "HIGH  vulnerable  httpx"
    assert lines[1].endswith("0.27.0 has a known vulnerability; the fix: 0.27.9 (PYSEC-1); " + REMEDY)
    assert lines[2] == "LOW   behind      example.com/tool"
    assert lines[-1] == "2 are behind, 1 of them with a known vulnerability"
    assert machine.asked("--format", "sarif") == 1
    results = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert [(one["ruleId"], one["level"]) for one in results] == [("vulnerable", "error"), ("behind", "note")]


SILENT = {
    "uv fails": ("uv", 'echo "error: no route" >&2; exit 2', "no route"),
    "uv leaves out a package": ("uv", "echo idna==3.9", "left out"),
    "pip-audit fails": ("pip-audit", "exit 3", "exit 3"),
    "pip-audit says nothing": ("pip-audit", "true", "cannot be read"),
    "pip-audit could not look up": (
        "pip-audit",
        'echo \'{"dependencies": [{"name": "httpx", "skip_reason": "not found"}]}\'',
        "could not look up 1 of 1",
    ),
    "pip-audit saw too little": ("pip-audit", "echo '{\"dependencies\": []}'", "could not look up"),
    "apt fails": ("apt-get", 'echo "E: no mirror" >&2; exit 100', "no mirror"),
    "apt has no security suite": ("apt-get", "echo bookworm", "no security suite"),
    "apt does not know the package": ("apt-cache", "true", "apt knows nothing of libssl3"),
    "the proxy refuses": ("go", 'echo "403 Forbidden" >&2; exit 1', "403 Forbidden"),
}


@pytest.mark.parametrize("name", SILENT)
def test_a_source_that_does_not_answer_is_unknown_not_up_to_date(
    machine: Machine, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert machine.asked() == 0
    tool, script, says = SILENT[name]
    machine.tool(tool, script=script)
    capsys.readouterr()
    assert machine.asked() == 2
    told = capsys.readouterr()
    assert told.out == "nothing is behind, of what answered\n"
    assert says in told.err


def test_a_proxy_that_lists_nothing_is_unknown(machine: Machine) -> None:
    assert machine.asked() == 0
    machine.go()
    assert machine.asked() == 2


def test_a_source_can_be_left_out_but_not_silently(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.tool("pip-audit", script="exit 3")
    assert machine.asked() == 2
    capsys.readouterr()
    assert machine.asked("--without", "known-vulnerabilities") == 0
    assert "known-vulnerabilities: not asked" in capsys.readouterr().err


def test_apply_raises_pins_and_locks(machine: Machine) -> None:
    machine.tool("uv", NEWER)
    machine.apt("3.0.2-1")
    assert machine.asked("--apply") == 0
    assert machine.text("requirements.in") == "# why\nhttpx==0.28.1  # pinned\n"
    assert machine.text("requirements.lock") == NEWER
    assert machine.text("base.debs") == f"# made by: hand\nlibssl3 3.0.2-1 {'b' * 64}\n"
    assert machine.asked() == 0


def test_apply_says_what_takes_a_hand(machine: Machine) -> None:
    machine.tool("uv", NEWER)
    assert machine.asked("--apply") == 0
    machine.go("v1.3.0")
    assert machine.asked("--apply") == 1


@pytest.mark.parametrize("tool", ["uv", "apt-cache"])
def test_apply_writes_everything_or_nothing(machine: Machine, tool: str, capsys: pytest.CaptureFixture[str]) -> None:
    machine.tool("uv", NEWER)
    machine.apt("3.0.2-1")
    machine.tool(tool, script="exit 1")
    assert machine.asked("--apply") == 2
    assert {name: machine.text(name) for name in machine.files} == machine.files
    assert "nothing was written" in capsys.readouterr().err


def test_apply_leaves_nothing_half_written(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.tool("uv", NEWER)
    machine.apt("3.0.2-1")
    real = Path.write_text

    def full(path: Path, text: str) -> int:
        if ".base.debs." in path.name:
            raise OSError(28, "No space left on device", str(path))
        return real(path, text)

    monkeypatch.setattr(Path, "write_text", full)
    assert machine.asked("--apply") == 2
    assert {name: machine.text(name) for name in machine.files} == machine.files
    assert not list(machine.folder.glob(".*.[0-9]*"))


def test_what_is_held_stays_until_the_hold_expires(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    machine.go("v1.2.3", "v1.3.0")
    assert machine.asked() == 1
    settings = machine.folder / "scan.toml"
    settings.write_text(SETTINGS + HOLD.format(name="example.com/tool", day=today))
    capsys.readouterr()
    assert machine.asked() == 0
    assert "held: example.com/tool v1.2.3, newest v1.3.0" in capsys.readouterr().err
    settings.write_text(SETTINGS + HOLD.format(name="example.com/tool", day=today - datetime.timedelta(days=1)))
    assert machine.asked() == 1


def test_a_known_vulnerability_cannot_be_held(machine: Machine) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    (machine.folder / "scan.toml").write_text(SETTINGS + HOLD.format(name="libssl3", day=today))
    machine.apt("3.0.2-1")
    assert machine.asked() == 0
    machine.apt("3.0.2-1", suite="-security")
    assert machine.asked() == 1


def test_a_pattern_without_a_file_is_refused(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert machine.asked() == 0
    (machine.folder / "base.debs").rename(machine.folder / "base.lock")
    assert machine.asked() == 2
    assert "*.debs matches no file" in capsys.readouterr().err


def test_a_malicious_release_is_never_the_newest(machine: Machine) -> None:
    machine.go("v0.69.3", "v0.69.4")
    assert go.newest("example.com/tool") == "v0.69.4"
    assert go.newest(go.TRIVY) == "v0.69.3"


def test_the_resolver_is_asked_without_pins_but_with_what_is_held(machine: Machine) -> None:
    file = machine.folder / "more.in"
    file.write_text("a[x]==1.0\nb_c==2.0  # why\n-r other\n")
    machine.tool("uv", script='for last; do :; done; sed "s/^/# /" "$last"; echo a==9; echo b-c==9')
    asked = python.newest(file, {}, held={"b-c"})
    assert "# a[x]\n# b_c==2.0  # why\n# -r other\n" in asked


def test_a_lock_keeps_the_notes_it_has(machine: Machine) -> None:
    machine.tool("uv", script='echo "# $*"; echo httpx==0.27.0; for last; do :; done; echo "    # via -r $last"')
    file = machine.folder / "requirements.in"
    assert "--no-annotate" in python.newest(file, {})
    (machine.folder / "requirements.lock").write_text(LOCK + "    # via hand\n")
    latest = python.newest(file, {})
    assert "--no-annotate" not in latest
    assert "# via -r requirements.in\n" in latest


def test_a_lock_that_is_none_is_refused(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert debian.pins(machine.folder / "base.debs") == {"libssl3": "3.0.1-1"}
    (machine.folder / "base.debs").write_text("libssl3 3.0.1-1\n")
    assert machine.asked() == 2
    assert "is not `name version sha256`" in capsys.readouterr().err
