"""kubectl, run as a subprocess: the few things Pulumi must not see in its state go through here."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

TIMEOUT = 60


class KubectlError(Exception):
    """kubectl is missing, or said no: one line of what it said."""


class ToolMissingError(KubectlError):
    """There is no kubectl: waiting does not help."""


def kubectl(arguments: Sequence[str], *, stdin: str | None = None) -> str:
    """Run kubectl against the cluster of KUBECONFIG; returns its output or raises KubectlError."""
    command = ["kubectl", *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    except FileNotFoundError:
        raise ToolMissingError("kubectl is not in PATH: install it, or source the env.sh of your cluster") from None
    except subprocess.TimeoutExpired:
        raise KubectlError(f"kubectl {arguments[0]}: no answer within {TIMEOUT} s; is the cluster running?") from None
    if done.returncode != 0:
        raise KubectlError(f"kubectl {arguments[0]}: {_last_line(done.stderr)}")
    return done.stdout


def check_reachable() -> None:
    """Raise KubectlError, in one line, unless the API server answers."""
    try:
        kubectl(["get", "--raw", "/readyz", "--request-timeout=10s"])
    except ToolMissingError:
        raise
    except KubectlError as error:
        raise KubectlError(
            f"the cluster does not answer ({error}); start it, or point KUBECONFIG at one that runs"
        ) from None


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "failed without a word"
