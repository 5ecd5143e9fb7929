"""The nightly gate on the fresh estate: what `ci/steps/live` asks is green, and red once somebody has changed it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.estate import ready
from cluster.live import CLUSTER
from cluster.test_prove import whole
from garrison.prove.drill import keep
from garrison.prove.kubectl import Kubectl
from harness import environment, paths, stack

# As the step says them, with this machine's stack; the tests of this folder share one proof.
RULES = ["garrison", "check", "--live", "--app", "stacks/estate.py", "--format", "json"]
GATE = 'max-age-hours = 24\n[gates]\nnightly = ["live/drift", "live/rules", "live/probes"]\n'


def ci(reports: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**environment.full(CLUSTER), "REPORTS": str(reports)}
    command = [sys.executable, "-m", "garrison", "ci", *words]
    return subprocess.run(command, cwd=paths.REPO, env=env, capture_output=True, text=True, check=False)


def check(reports: Path, name: str, *words: str) -> int:
    return ci(reports, "run", *(("--json",) if name != "live/drift" else ()), name, "--", *words).returncode


def gate(reports: Path) -> list[str]:
    settings = reports / "gate.toml"
    settings.write_text(GATE)
    return ci(reports, "gate", "nightly", "--settings", str(settings)).stdout.splitlines()


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """The proof's report: it is made once for all tests that look at it."""
    ready()
    (tmp_path / "proof.json").write_text(json.dumps(whole()))
    assert check(tmp_path, "live/probes", "cat", str(tmp_path / "proof.json")) == 0
    return tmp_path


def test_the_nightly_gate_is_green_on_a_fresh_estate(reports: Path) -> None:
    settings = str(stack.settings(CLUSTER))
    drift = ["pulumi", "preview", "--refresh", "--expect-no-changes", "--non-interactive", "--config-file", settings]
    check(reports, "live/drift", *drift)
    check(reports, "live/rules", *RULES, "--cluster", settings)
    assert gate(reports) == ["gate nightly: open, 3 reports"]
    api = Kubectl()
    deny = api.get("networkpolicy", "default-deny", "shop")
    try:
        keep.remove(api, deny)
        assert check(reports, "live/rules", *RULES, "--cluster", settings) == 1
        *why, verdict = gate(reports)
        assert verdict.startswith("gate nightly: closed")
        assert any(line.startswith("live/rules: estate-missing: ") for line in why), why
    finally:
        keep.put_back(api, keep.Original.of(deny))
