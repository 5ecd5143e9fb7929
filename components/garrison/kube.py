"""kubectl, run as a subprocess: the few things Pulumi must not see in its state go through here."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

from garrison.errors import GarrisonError

TIMEOUT = 60
# Sidecars that are init containers are stable since 1.33, and with them every proxy; policies in CEL since 1.30.
OLDEST = (1, 33)


class KubectlError(GarrisonError):
    """kubectl is missing, or said no: one line of what it said."""


class ToolMissingError(KubectlError):
    """There is no kubectl: waiting does not help."""


def attempt(arguments: Sequence[str], *, stdin: str | None = None, timeout: float = TIMEOUT) -> tuple[int, str, str]:
    """Exit code, standard output and standard error, for callers to whom a failure is an answer.

    Raises KubectlError where there is no answer: no kubectl, or nothing within `timeout` seconds.
    """
    command = ["kubectl", *arguments]
    try:  # without input of its own it must not read ours
        done = subprocess.run(command, input=stdin or "", capture_output=True, text=True, check=False, timeout=timeout)
    except FileNotFoundError:
        raise ToolMissingError("kubectl is not in PATH: install it, or source the env.sh of your cluster") from None
    except subprocess.TimeoutExpired:
        what = " ".join([word for word in arguments if not word.startswith("-")][:3])
        raise KubectlError(f"kubectl {what}: no answer within {timeout:.0f} s; is the cluster running?") from None
    return done.returncode, done.stdout, done.stderr


def flags(context: str | None, kubeconfig: str | None) -> list[str]:
    """Kubectl's words for a cluster that is not the one it would find by itself."""
    named = {"--context": context, "--kubeconfig": kubeconfig}
    return [f"{flag}={value}" for flag, value in named.items() if value]


def kubectl(arguments: Sequence[str], *, stdin: str | None = None) -> str:
    """Run kubectl against the cluster of KUBECONFIG; returns its output or raises KubectlError."""
    code, out, err = attempt(arguments, stdin=stdin)
    if code:
        raise KubectlError(f"kubectl {arguments[0]}: {last_line(err) or f'exit code {code}'}")
    return out


def documents(text: str) -> Iterator[dict[str, Any]]:
    """What kubectl prints of several objects: one after the other, or a list."""
    decoder, at = json.JSONDecoder(), 0
    while (at := len(text) - len(text[at:].lstrip())) < len(text):
        document, at = decoder.raw_decode(text, at)
        yield from document["items"] if document["kind"] == "List" else [document]


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


def version(text: str) -> tuple[int, int]:
    """Of `/version`; raises KubectlError for what is none. Managed clusters write their minor version as `33+`."""
    try:
        said = json.loads(text)
        return int(said["major"]), int(re.sub(r"\D.*", "", said["minor"]))
    except (ValueError, KeyError, TypeError):
        raise KubectlError("the API server does not say which version of Kubernetes it is") from None


def too_old(found: tuple[int, int]) -> str:
    """What is wrong with that version, in one line; empty where nothing is."""
    have, need = (".".join(map(str, one)) for one in (found, OLDEST))
    return f"Kubernetes {have} is too old: Garrison needs {need} or later; upgrade the cluster" * (found < OLDEST)


def check_version() -> None:
    """Raise KubectlError, in one line, unless the API server is new enough for what Garrison derives."""
    if said := too_old(version(kubectl(["get", "--raw", "/version"]))):
        raise KubectlError(said)


def check_deployer(deployers: Sequence[str]) -> None:
    """Raise KubectlError unless who asks is among `user:NAME` and `group:NAME`: the guard would lock them out."""
    said = json.loads(kubectl(["auth", "whoami", "--output=json"]))["status"]["userInfo"]
    mine = {f"user:{said.get('username', '')}", *(f"group:{group}" for group in said.get("groups", ()))}
    if not mine & set(deployers):
        raise KubectlError(
            f"{said.get('username')!r} is not among the deployers ({', '.join(deployers)}), who alone may change the "
            f"estate; set garrison:deployers, such as '[\"user:{said.get('username')}\"]'"
        )


def last_line(text: str) -> str:
    """Where a tool says what was wrong; empty when it said nothing."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
