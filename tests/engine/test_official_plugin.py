"""Pulumi's own Kubernetes plugin where a machine has it: the real engine runs it, out of the home that we give it.

No registry of plugins answers here, so the stand-in plays it under the upstream's folder name, and notes that it ran.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from importlib import metadata
from pathlib import Path

import pytest

from harness import architecture, build, environment, official, paths
from harness.plugin import launcher
from harness.serving import offered

SDK = metadata.version("pulumi-kubernetes")
PROGRAM = """
import pulumi_kubernetes as k8s
k8s.core.v1.ConfigMap("one", metadata={"name": "one", "namespace": "default"}, data={"a": "b"})
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home with nothing in it, beside the cache of this one."""
    monkeypatch.setenv("GARRISON_CACHE", str(paths.cache()))
    monkeypatch.setenv("GARRISON_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    official._say.cache_clear()
    return tmp_path / "home"


def installed(home: Path, version: str) -> Path:
    """As `pulumi plugin install resource kubernetes` leaves it."""
    folder = home / ".pulumi/plugins" / f"resource-kubernetes-v{version}"
    folder.mkdir(parents=True)
    launcher.write_launcher(folder / "real", Path(sys.executable))
    script = f'#!/bin/sh\ntouch "{folder}/ran"\nexec "{folder}/real" "$@"\n'
    (folder / launcher.NAME).write_text(script)
    (folder / launcher.NAME).chmod(0o755)
    return folder


def preview(folder: Path) -> str:
    """What the engine says of a program with one object, without a cluster."""
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: plugin-test\nruntime: python\n")
    (folder / "__main__.py").write_text(PROGRAM)
    env = environment.full("garrison-unit") | {"PULUMI_STACK": ""}
    for words in (["stack", "init", "one"], ["preview", "--stack=one", "--non-interactive"]):
        command = ["pulumi", *words, "-C", str(folder)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_engine_runs_the_plugin_that_the_user_installed(
    user: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = installed(user, SDK)
    assert "+ 2 to create" in preview(tmp_path / "program")  # the stack itself is one
    assert (folder / "ran").exists()
    assert f"Pulumi's own Kubernetes plugin is used: {folder}" in capfd.readouterr().err
    listed = ["pulumi", "plugin", "ls", "--json"]
    told = subprocess.run(listed, env=environment.full("garrison-unit"), capture_output=True, check=True).stdout
    assert [(one["name"], one["version"]) for one in json.loads(told)] == [("kubernetes", SDK)]


def test_what_a_server_of_plugins_gives_is_taken_and_by_a_checksum_that_is_not_its_own_refused(
    user: Path, tmp_path: Path
) -> None:
    """As a user types it, with a server on loopback in the place of Pulumi's own."""
    archive = packed(tmp_path)
    with offered(archive.parent) as server:
        wrong = install(user, "--server", server, "--checksum", "0" * 64)
        assert wrong.returncode != 0 and "invalid checksum" in wrong.stderr, wrong.stderr
        assert official.found(user / ".pulumi") is None
        for home, options in ((user, ("--server", server)), (tmp_path / "checked", ("--file", str(archive)))):
            done = install(home, *options)
            assert done.returncode == 0, done.stderr
            assert (home / f".pulumi/plugins/resource-kubernetes-v{SDK}" / launcher.NAME).exists()
    plugin = official.found(tmp_path)
    assert plugin == user / f".pulumi/plugins/resource-kubernetes-v{SDK}" / launcher.NAME


def packed(folder: Path) -> Path:
    """A program of that name, as upstream packs its plugin, for this machine."""
    (folder / launcher.NAME).write_text("#!/bin/sh\n")
    (folder / launcher.NAME).chmod(0o755)
    archive = folder / f"{launcher.NAME}-v{SDK}-linux-{architecture.here().name}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / launcher.NAME, launcher.NAME)
    return archive


def install(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Into the user's home; by itself Pulumi asks the machine for it, and not HOME."""
    words = ["plugin", "install", "resource", "kubernetes", f"v{SDK}", "--non-interactive", *options]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    env |= {"PULUMI_HOME": str(home / ".pulumi")}
    return subprocess.run([build.binary("pulumi"), *words], env=env, capture_output=True, text=True, timeout=120)


def test_without_one_the_stand_in_runs(user: Path, tmp_path: Path) -> None:
    assert "using Garrison's stand-in" in preview(tmp_path / "program")


def test_one_that_is_too_old_or_of_another_major_version_is_not_taken(user: Path, tmp_path: Path) -> None:
    older, newer = installed(user, "4.1.0"), installed(user, "5.0.0")
    assert official.found(tmp_path) is None
    assert "using Garrison's stand-in" in preview(tmp_path / "program")
    assert not (older / "ran").exists() and not (newer / "ran").exists()
    fitting = installed(user, f"4.{int(SDK.split('.')[1]) + 1}.0")
    installed(user, SDK)
    assert official.found(tmp_path) == fitting / launcher.NAME


def test_what_is_removed_leaves_no_link_behind(user: Path, tmp_path: Path) -> None:
    folder = installed(user, SDK)
    home = tmp_path / "pulumi-home"
    assert official.linked(home) and official.linked(home)
    assert (home / "plugins" / folder.name / launcher.NAME).resolve() == folder / launcher.NAME
    folder.rename(tmp_path / "away")
    assert not official.linked(home)
    assert list((home / "plugins").iterdir()) == []


def test_one_that_was_installed_into_our_home_stays_there(user: Path, tmp_path: Path) -> None:
    """By who sourced env.sh: `pulumi plugin install` puts it where PULUMI_HOME says."""
    name = installed(user, SDK).name
    home = (user / ".pulumi").rename(tmp_path / "pulumi-home")
    assert official.linked(home) and official.linked(home)
    assert not (home / "plugins" / name / launcher.NAME).is_symlink()
