"""What a machine lacks is said at once, all of it, each in a line with what to do; nothing is made before."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness import limits, machine, prerequisites
from harness.errors import HarnessError
from harness.machine import Machine
from harness.parts import PARTS, UP, Part
from harness.paths import REPO
from harness.ways import Ways

GOOD = Machine(
    architecture="x86_64",
    system="debian 12",
    root=True,
    absent=(),
    engine=True,
    limits=("fs.inotify.max_user_instances",),
    raises=True,
    go="1.26.8",
    fetches_go=False,
    free=40 * prerequisites.GB,
    assembled=False,
    port=True,
    taken=(),
)
USER = replace(GOOD, root=False, limits=(), raises=False)
ELSEWHERE = Ways(node="kindest/node:v1.36.3@sha256:" + "1" * 64, registry="registry.example")
LAPTOP = replace(USER, architecture="aarch64", system="ubuntu 24.04", absent=("mmdebstrap", "gcc"))
FAULTS = {
    "architecture": replace(GOOD, architecture="riscv64"),
    "Go none": replace(GOOD, go=""),
    "Go older than switching": replace(GOOD, go="1.19.8", fetches_go=True),
    "Go that may not fetch": replace(GOOD, go="1.26.7"),
    "disk": replace(GOOD, free=20 * prerequisites.GB),
    "system": replace(GOOD, system="ubuntu 24.04"),
    "user": replace(USER, engine=False),
    "user without tools": replace(USER, absent=("gcc",)),
    "fs.inotify.max_user_instances": replace(USER, limits=("fs.inotify.max_user_instances",)),
    "fs.inotify.max_user_instances of root in a container": replace(GOOD, raises=False),
    "ports": replace(GOOD, port=False),
    "port 8443": replace(GOOD, taken=(8443,)),
}
FINE = {
    "as wanted": GOOD,
    "newer Go": replace(GOOD, go="1.27rc1"),
    "Go that fetches": replace(GOOD, go="1.21.0", fetches_go=True),
    "a user with everything": USER,
    "another processor": replace(GOOD, architecture="aarch64"),
}


def wanting(found: Machine, parts: tuple[Part, ...] = UP) -> list[prerequisites.Row]:
    return [row for row in prerequisites.rows(found, parts, cluster=True) if row.remedy]


@pytest.mark.parametrize("found", FINE.values(), ids=FINE)
def test_a_machine_that_will_do(found: Machine) -> None:
    assert wanting(found) == []


@pytest.mark.parametrize(("fault", "found"), FAULTS.items(), ids=FAULTS)
def test_one_fault_is_one_line_that_names_it(fault: str, found: Machine) -> None:
    (row,) = wanting(found)
    assert row.name.split()[0] == fault.split()[0]
    assert len(row.remedy) > 20


def test_a_laptop_that_takes_images_from_elsewhere_needs_docker_and_nothing_of_debian() -> None:
    def lacks(found: Machine, way: Ways) -> list[str]:
        return [row.name for row in prerequisites.rows(found, UP, cluster=True, way=way) if row.remedy]

    assert lacks(LAPTOP, ELSEWHERE) == []
    assert lacks(LAPTOP, Ways()) == ["system", "user"]
    assert (
        lacks(LAPTOP, replace(ELSEWHERE, registry="")) == lacks(LAPTOP, replace(ELSEWHERE, node=""))[:1] == ["system"]
    )
    assert lacks(replace(LAPTOP, engine=False), ELSEWHERE) == lacks(replace(LAPTOP, absent=("docker",)), ELSEWHERE)
    (row,) = (row for row in prerequisites.rows(replace(LAPTOP, engine=False), (), cluster=True) if row.name == "user")
    assert row.found == "not root, no mmdebstrap, no gcc, Docker does not answer"


def test_nothing_to_build_needs_neither_go_nor_room() -> None:
    built = replace(GOOD, go="", free=0, assembled=True)
    assert wanting(built, ()) == []
    assert {row.name for row in wanting(built)} == {"Go", "disk"}


def test_all_faults_are_said_together(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = replace(USER, architecture="riscv64", system="darwin", absent=machine.TOOLS, engine=False, go="")
    monkeypatch.setattr(prerequisites, "look", lambda: bare)
    monkeypatch.setattr(prerequisites, "lacking", lambda parts: list(parts))
    with pytest.raises(HarnessError) as caught:
        prerequisites.demand(UP)
    first, *lines = str(caught.value).splitlines()
    assert first.endswith(":")
    assert [line.split(":")[0].strip() for line in lines] == ["architecture", "Go", "system", "user"]


def test_the_port_of_another_cluster_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerequisites, "look", lambda: replace(GOOD, taken=(8444,)))
    monkeypatch.setattr(prerequisites, "lacking", lambda parts: list(parts))
    prerequisites.demand(UP, cluster="garrison")
    with pytest.raises(HarnessError, match=r"port 8444 of loopback: taken, .*sport = :8444"):
        prerequisites.demand(UP, cluster="garrison-test")
    prerequisites.demand(UP, cluster="")


def test_the_version_of_go_is_the_one_the_parts_ask_for() -> None:
    assert f"go {prerequisites.go_needed()}\n" in (REPO / "tests/harness/go/kubernetes/go.mod").read_text()


def test_looking_at_this_machine_finds_something() -> None:
    found = machine.look()
    assert found.architecture
    assert found.free > 0
    assert found.port


def test_limits_of_another_system_are_no_error(tmp_path: Path) -> None:
    assert limits.low(tmp_path) == {}


def test_the_front_door_looks_before_it_makes_an_environment(tmp_path: Path) -> None:
    """A Go that is too old, in a cache that has nothing: the answer comes at once, and nothing was made."""
    go = tmp_path / "go"
    go.write_text('#!/bin/sh\n[ "$1" = version ] && echo go version go1.19.8 linux/amd64 || echo local\n')
    go.chmod(0o755)
    cache = tmp_path / "cache"
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "GARRISON_CACHE": str(cache)}
    door = [sys.executable, "-m", "harness.bootstrap", "-m", "harness", "up"]
    done = subprocess.run(door, cwd=REPO / "tests", env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "Go: 1.19.8, needed " in done.stderr
    assert "Traceback" not in done.stderr
    assert not cache.exists()


def test_what_is_made_at_first_use_is_not_made_by_up() -> None:
    left = {part.name for part in PARTS if part not in UP}
    names = ("language-nodejs", "nodejs", "yaml")
    assert left == {"argocd", "crane", "fixtures", "flux", "h2spec", "oidc-provider", "ratelimit", "trivy"} | {
        f"pulumi-{name}" for name in names
    }
