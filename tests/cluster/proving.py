"""`garrison prove` of this checkout, as a user runs it, on the cluster under test."""

from __future__ import annotations

import os
import subprocess
import sys

from cluster.live import CLUSTER, KUBECONFIG, kubectl
from garrison.prove.look.pods import LABEL
from harness import paths, stack

ONE_PAIR = ("--source=shop/catalog", "--target=insurance/cover")

COMMAND = [sys.executable, "-m", "garrison", "prove", f"--kubeconfig={KUBECONFIG}", f"--yes-open=kind-{CLUSTER}"]
COMMAND += [f"--cluster={stack.settings(CLUSTER)}"]  # at which port its edge is


def started(*command: str) -> subprocess.Popen[str]:
    """A command of this checkout, with its output at hand."""
    return subprocess.Popen(
        command,
        cwd=paths.REPO,
        env={**os.environ, "PYTHONPATH": "components"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start(*arguments: str) -> subprocess.Popen[str]:
    return started(*COMMAND, *arguments)


def prove(*arguments: str) -> tuple[int, str, str]:
    process = start(*arguments)
    out, err = process.communicate(timeout=1500)
    return process.returncode, out, err


def leavings() -> str:
    """What a run has made and not removed."""
    return kubectl("get", "pods,networkpolicies,configmaps,serviceaccounts,namespaces", "-A", "-l", LABEL, "-o", "name")
