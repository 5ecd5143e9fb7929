"""The templates in somebody else's empty repository, every step in a fresh Debian in the order of the jobs.

Only the steps that say REPLACE THIS BY YOUR OWN are written anew (servers/stranger.py). One step is not run: compiling
the tools takes minutes; the harness has made the same bytes of the same rows, and `tools` refuses any others. What
has no cluster to go to here, `deploy` and `live`, is shown to find everything it calls.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness import paths
from harness.fresh import Fresh
from servers import stranger
from servers.github import GitHub, JobFailed
from unit.pipelines import copied

CI = paths.REPO / "ci"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stranger.repository(tmp_path_factory.mktemp("stranger") / "parcels", "github")


def stand_in(script: str, checkout: Path, env: Mapping[str, str]) -> bool:
    """For the compiler alone."""
    if script != 'ci/steps/toolchain "$TOOL"':
        return False
    (checkout / "build/tools").mkdir(parents=True)
    for tool, file, row in copied.files():
        if tool == env["TOOL"]:
            shutil.copy(row.folder / file, checkout / "build/tools")
    return True


@pytest.fixture(scope="module")
def github(origin: Path, tmp_path_factory: pytest.TempPathFactory) -> GitHub:
    """Nothing has run yet."""
    place = tmp_path_factory.mktemp("github")
    commit, base = stranger.commit(origin), stranger.commit(origin, "HEAD~1")
    facts = {
        "github.event.pull_request.head.sha || github.sha": commit,
        "github.event.pull_request.base.sha || github.event.before": base,
        "secrets.COSIGN_PRIVATE_KEY": stranger.key(origin),
        "secrets.COSIGN_PASSWORD": "x",
        "secrets.PULUMI_CONFIG_PASSPHRASE": "x",
        "vars.STACK": "live",
        "vars.PULUMI_BACKEND_URL": "file:///tmp",
    }
    return GitHub(origin, commit, place, Fresh.unpacked(place / "debian"), facts, stand_in)


@pytest.fixture(scope="module")
def merged(github: GitHub) -> GitHub:
    """After the checks of a pull request, every step of every job."""
    github.workflow("change.yml")
    return github


def test_exactly_the_steps_that_say_so_are_their_own(origin: Path) -> None:
    assert stranger.marked(paths.REPO) == set(stranger.OWN)
    for file in (CI / "steps").iterdir():
        same = file.read_bytes() == (origin / "ci/steps" / file.name).read_bytes()
        assert same == (file.name not in stranger.OWN), file.name
    told = (paths.REPO / "docs/ci.md").read_text().split("replaced by your own: ")[1].partition(".")[0]
    assert {word.strip("` ") for word in told.replace(" and ", ",").split(",")} == set(stranger.OWN)


def test_the_checks_of_a_pull_request_pass_in_fresh_containers(merged: GitHub) -> None:
    assert "gate change: open, 15 reports" in merged.said["gate"]


def test_the_tools_are_those_of_the_table(merged: GitHub) -> None:
    assert (CI / "tools.tsv").read_text() == copied.table()
    listed = dict(reversed(line.split("  ")) for line in (CI / "tools.sha256").read_text().splitlines())
    for _, file, row in copied.files():
        assert listed.pop(file) == hashlib.sha256((row.folder / file).read_bytes()).hexdigest(), file
    assert listed == {}
