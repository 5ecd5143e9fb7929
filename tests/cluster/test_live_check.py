"""`garrison check --live` on the real estate: reality is what the graph derives, until somebody changes it."""

from __future__ import annotations

import json
import subprocess
import sys

from cluster.estate import ready
from cluster.live import CLUSTER, apply, kubectl
from garrison.prove.drill import keep
from garrison.prove.kubectl import Kubectl
from harness import environment, paths, stack


def found() -> dict[str, set[str]]:
    """The objects that are missing, changed or extra, by rule."""
    command = [sys.executable, "-m", "garrison", "check", "--live", "--app", "stacks/estate.py", "--format", "json"]
    command += ["--cluster", str(stack.settings(CLUSTER))]
    done = subprocess.run(
        command, cwd=paths.REPO, env=environment.full(CLUSTER), capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    told: dict[str, set[str]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        if finding["rule"].startswith("estate-"):
            told.setdefault(finding["rule"], set()).add(f"{finding['object']['kind']} {finding['object']['name']}")
    return told


def test_a_fresh_estate_is_exactly_what_the_graph_derives() -> None:
    ready()
    assert found() == {}


def test_what_is_missing_weakened_or_extra_is_found() -> None:
    kubectl_ = Kubectl()
    deny = kubectl_.get("networkpolicy", "default-deny", "shop")
    orders = kubectl_.get("networkpolicy", "orders", "shop")
    wide = {**orders, "spec": {**orders["spec"], "ingress": [{"from": [{"podSelector": {}}]}]}}
    extra = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "extra", "namespace": "bank"}}
    try:
        keep.remove(kubectl_, deny)
        keep.replace(kubectl_, wide)
        apply(extra | {"automountServiceAccountToken": False})
        assert found() == {
            "estate-missing": {"NetworkPolicy default-deny"},
            "estate-changed": {"NetworkPolicy orders"},
            "estate-extra": {"ServiceAccount extra"},
        }
    finally:
        keep.put_back(kubectl_, keep.Original.of(deny))
        keep.put_back(kubectl_, keep.Original.of(orders))
        kubectl("delete", "serviceaccount", "extra", "-n", "bank", "--ignore-not-found")
    assert found() == {}
