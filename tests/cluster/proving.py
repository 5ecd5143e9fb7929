"""`garrison prove` of this checkout, as a user runs it, on the cluster under test."""

from __future__ import annotations

import os
import subprocess
import sys

from cluster.live import CLUSTER, KUBECONFIG
from harness import paths, stack

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
