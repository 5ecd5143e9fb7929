"""Runs a scanner only after its SHA-256 was found in a list, alone, with nothing of ours it could obey instead.

The environment is empty but for what is named, and the working folder is a fresh one: Trivy reads TRIVY_* variables,
trivy.yaml, .trivyignore and trivy-secret.yaml from there, and any of them could make findings disappear.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from garrison_supply.scan.model import ScanError
from garrison_supply.scan.settings import Tool

# Only what is downloaded needs them, and only that gets them: the way out, and whom to believe there.
NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE",
           "SSL_CERT_DIR", "DOCKER_CONFIG")  # fmt: skip


class Said(NamedTuple):
    """What a tool wrote to its two outputs."""

    output: str
    errors: str


class RefusedError(ScanError):
    """The tool ran and ended with an error of its own; for a signature that is the answer "no"."""


@dataclass(frozen=True)
class Binary:
    """A tool whose checksum and version were right a moment ago."""

    tool: Tool
    path: Path

    def run(self, arguments: Sequence[str | Path], *, env: Mapping[str, str] | None = None, stdin: str = "") -> Said:
        """What it says; a ScanError when it crashes or takes too long, a RefusedError when it says so itself."""
        with tempfile.TemporaryDirectory(prefix="garrison-scan-") as empty:
            clean = {"PATH": os.defpath, "HOME": empty, "TMPDIR": empty, **(env or {})}
            return _run([self.path, *arguments], self.tool, clean, stdin)


def verified(tool: Tool, environ: Mapping[str, str]) -> Binary:
    """The tool, when its checksum is listed in the settings or given in GARRISON_<NAME>_SHA256."""
    variable = f"GARRISON_{tool.name.upper()}"
    wanted = environ.get(variable) or tool.path
    found = shutil.which(wanted, path=environ.get("PATH", os.defpath))
    if found is None:
        raise ScanError(f"{wanted}: no such program; install {tool.name} {tool.version}, or set {variable} to its path")
    accepted = tool.sha256 | {environ[name] for name in (f"{variable}_SHA256",) if environ.get(name)}
    if not accepted:
        raise ScanError(f"{found}: nothing says which {tool.name} to trust; add its sha256 to scan.toml")
    path = Path(found).resolve()
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest not in accepted:
        raise ScanError(f"{path}: not run: its SHA-256 {digest[:16]}... is not one that scan.toml accepts")
    return _of_version(Binary(tool, path))


def _of_version(binary: Binary) -> Binary:
    told = binary.run(["--version"] if binary.tool.name == "trivy" else ["version"]).output
    if binary.tool.version not in told.replace("v", " ").split():
        said = " ".join(told.split())[:60] or "nothing"
        raise ScanError(f"{binary.path}: is not {binary.tool.name} {binary.tool.version}: it says {said}")
    return binary


def _run(command: Sequence[str | Path], tool: Tool, env: Mapping[str, str], stdin: str) -> Said:
    try:
        process = subprocess.Popen(
            [str(word) for word in command], cwd=env["HOME"], env=env, text=True, errors="replace",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise ScanError(f"{command[0]}: cannot be run: {error.strerror}") from None
    try:
        output, errors = process.communicate(stdin, timeout=tool.timeout)
    except subprocess.TimeoutExpired:
        raise ScanError(f"{tool.name}: no result in {tool.timeout} s; raise timeout-seconds in scan.toml") from None
    finally:
        _end(process)
    if process.returncode < 0:
        raise ScanError(f"{tool.name} crashed (signal {-process.returncode}): {_last_words(errors)}")
    if process.returncode:
        raise RefusedError(f"{tool.name} failed (exit {process.returncode}): {_last_words(errors)}")
    return Said(output, errors)


def _end(process: subprocess.Popen[str]) -> None:
    """Leave nothing running: the tool has a session of its own, so what it started ends with it."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_words(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "it said nothing"
