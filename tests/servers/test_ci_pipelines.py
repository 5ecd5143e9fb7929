"""The templates in somebody else's empty repository, every step in a fresh Debian in the order of the jobs.

Only the steps that say REPLACE THIS BY YOUR OWN are written anew (servers/stranger.py). One step is not run: compiling
the tools takes minutes; the harness has made the same bytes of the same rows, and `tools` refuses any others. What
wants pods or Pulumi's own plugin, `deploy` and `live`, is shown to find everything it calls.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from harness import paths
from harness.fresh import WORK, Fresh
from harness.plugin.testing.apiserver import ControlPlane
from servers import certmanager, stranger
from servers.github import GitHub, JobFailedError
from unit.pipelines import copied

pytest_plugins = ["harness.plugin.testing.fixtures"]
CI = paths.REPO / "ci"


@pytest.fixture(scope="module")
def origin(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stranger.repository(tmp_path_factory.mktemp("stranger") / "parcels", plane.kubeconfig)


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
        "vars.PULUMI_BACKEND_URL": f"file://{WORK}/state",
    }
    # Pulumi's own plugin for Kubernetes cannot be fetched here; without this it is tried five times.
    machine = {"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true", "PULUMI_SKIP_UPDATE_CHECK": "true"}
    return GitHub(origin, commit, place, Fresh.unpacked(place / "debian"), facts, stand_in, machine)


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


def test_a_second_copy_leaves_alone_what_is_theirs(origin: Path, tmp_path: Path) -> None:
    there = tmp_path / "again"
    shutil.copytree(origin, there)
    (there / "ci/steps/gate").write_text("old")
    done = subprocess.run([CI / "copy", there, "github"], capture_output=True, text=True, check=False)
    theirs = [*(f"ci/steps/{name}" for name in stranger.OWN), "scan.toml", "ci/gate.toml"]
    theirs += [".github/workflows/checks.yml"]  # its job `cluster` is theirs
    told, _, names = done.stdout.partition(":")
    assert (done.returncode, told) == (0, "yours, and left as it is (compare it with Garrison's)"), done.stderr
    assert set(names.split()) == set(theirs), "and nothing is left to replace"
    for name in theirs:
        assert (there / name).read_bytes() == (origin / name).read_bytes(), name
    assert (there / "ci/steps/gate").read_bytes() == (CI / "steps/gate").read_bytes()
    refused = subprocess.run([CI / "copy", there, "jenkins"], capture_output=True, text=True, check=False)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)


def test_the_checks_of_a_pull_request_pass_in_fresh_containers(merged: GitHub) -> None:
    assert "gate change: open, 15 reports" in merged.said["gate"]


def test_a_job_without_its_installation_fails(merged: GitHub) -> None:
    """The control of all that passed: what is not installed is not there."""
    job = yaml.safe_load((merged.origin / ".github/workflows/checks.yml").read_text())["jobs"]["scan"]
    bare = {**job, "steps": [step for step in job["steps"] if step.get("run") != "ci/steps/install"]}
    with pytest.raises(JobFailedError, match="garrison: not found"):
        merged.job("bare", bare, {})
    toolless = {**job, "steps": [step for step in job["steps"] if "ci/steps/tools" not in step.get("run", "")]}
    with pytest.raises(JobFailedError, match="trivy: no such program"):
        merged.job("toolless", toolless, {})


def test_a_tool_of_other_bytes_is_refused(merged: GitHub) -> None:
    file = merged.place / "artifacts/tool-cosign/cosign"
    good = file.read_bytes()
    file.write_bytes(good + b"x")
    with pytest.raises(JobFailedError, match="has not the SHA-256 of ci/tools.sha256"):
        merged.only("main.yml", "sign")
    file.write_bytes(good)
    shutil.rmtree(merged.checkout("main-sign"))
    merged.only("main.yml", "sign")
    assert any((merged.place / "artifacts/signatures").iterdir())


def test_deploy_finds_all_it_calls_and_stops_at_the_plugin_that_cannot_be_had_here(merged: GitHub) -> None:
    if not (merged.place / "artifacts/signatures").exists():
        merged.only("main.yml", "sign")
    with pytest.raises(JobFailedError) as stopped:
        merged.only("main.yml", "deploy")
    said = str(stopped.value)
    assert "gate release: open" in said
    assert "no resource plugin 'pulumi-resource-kubernetes'" in said.partition("gate release: open")[2], said


@pytest.fixture(scope="module")
def deployed(origin: Path, plane: ControlPlane) -> None:
    """The estate on a real API server, without a kubelet: its objects, no pod of it."""
    certmanager.install(plane)
    command = [sys.executable, "-m", "garrison", "render", "--app", "stacks/estate.py"]
    env = {**os.environ, "PYTHONPATH": f"{paths.REPO}/components:{paths.REPO}/policies"}
    rendered = subprocess.run(command, cwd=origin, env=env, capture_output=True, text=True, check=True).stdout
    for item in filter(None, yaml.safe_load_all(rendered)):
        plane.api.apply(item, "test")


def live_rules(github: GitHub) -> Path:
    """The report, of a run of the whole job; without pods and Pulumi's plugin only that check of it can pass."""
    shutil.rmtree(github.checkout("nightly-live"), ignore_errors=True)
    with pytest.raises(JobFailedError):
        github.only("nightly.yml", "live")
    return github.checkout("nightly-live") / "build/reports/live/rules.json"


def test_the_nightly_gate_is_green_on_a_fresh_estate(merged: GitHub, plane: ControlPlane, deployed: None) -> None:
    """live/rules is what the step reports of a real API server; drift and probes, which want pods, are written here.

    tests/cluster/test_nightly.py has all three of a cluster.
    """
    rules = live_rules(merged)
    said = merged.said["nightly-live"]
    assert "pulumi-resource-kubernetes" in said and "garrison prove: no image of the probe tool" in said, said
    shelf = merged.place / "artifacts/live"
    shelf.mkdir()
    read = json.loads(rules.read_text())
    for name, output in (("rules", read["output"]), ("drift", None), ("probes", {"report": "prove", "summary": {}})):
        report = {**read, "name": f"live/{name}", "output": output}
        (shelf / f"{name}.json").write_text(json.dumps(report))
    merged.only("nightly.yml", "gate")
    assert "gate nightly: open, 9 reports" in merged.said["nightly-gate"]
    plane.api.delete(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "default-deny", "namespace": "parcels"},
        },
        "Background",
    )
    shutil.copy(live_rules(merged), shelf / "rules.json")
    shutil.rmtree(merged.checkout("nightly-gate"))
    with pytest.raises(JobFailedError, match="live/rules: estate-missing: "):
        merged.only("nightly.yml", "gate")


GH = """#!/bin/sh
case "$*" in
*pulls*) echo 7 ;;
*--method*) for last; do :; done; cp "${last#body=@}" "$POSTED" ;;
esac
"""


def test_the_comment_of_one_operation_more(merged: GitHub, tmp_path: Path) -> None:
    """On the runner itself, which has python3 and gh: words, findings, scan and objects, in this order."""
    checkout = tmp_path / "default-branch"
    subprocess.run(["git", "clone", "--quiet", merged.origin, checkout], check=True)
    for name in ("preview", "policy", "scan", "opinion"):
        shutil.copytree(merged.place / "artifacts" / name, checkout / "build/reports" / name)
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "python3").symlink_to(Path(sys.base_prefix) / "bin/python3")
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "POSTED": str(tmp_path / "posted"), "HEAD_SHA": merged.commit}
    env |= {"GITHUB_REPOSITORY": "a/b", "HEAD_OWNER": "a", "HEAD_BRANCH": "c", "GH_TOKEN": "x"}
    subprocess.run(["ci/steps/comment", "build/reports"], cwd=checkout, env=env, check=True)
    lines = (tmp_path / "posted").read_text().splitlines()
    parts = [lines.index(f"**{title}**") for title in ("What changes", "Findings", "Scan", "Cost in objects")]
    assert parts == sorted(parts)
    assert parts[0] < lines.index(stranger.WORDS) < parts[1]
    assert parts[2] < lines.index("+ scan/images: passed") < parts[3]
    assert len(lines) < 60


def test_the_tools_are_those_of_the_table() -> None:
    assert (CI / "tools.tsv").read_text() == copied.table()
    sums = [(hashlib.sha256((row.folder / file).read_bytes()).hexdigest(), file) for _, file, row in copied.files()]
    assert (CI / "tools.sha256").read_text() == "".join(f"{total}  {file}\n" for total, file in sums)
