"""Says what the harness needs, what of it is here, what it is made from, and how it is checked."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence

from harness import build, engine, progress
from harness.parts import PARTS, Go, Part

# What the machine itself must bring or, as root on Debian, gets by apt: command, package, role.
_MACHINE = (
    ("python3", "python3", "runs the harness"),
    ("go", "golang (go.dev)", "builds the toolchain"),
    ("docker", "docker.io", "runs the nodes of the cluster"),
    ("mmdebstrap", "mmdebstrap", "makes the node's root file system"),
    ("make", "make", "the front door"),
)
_GOOD = {"ready", "installed"}


def report() -> int:
    """Print the tables; 1 when the machine lacks what the harness cannot make."""
    rows = [_row(part) for part in PARTS]
    machine = [_machine_row(*entry) for entry in _MACHINE]
    _table(("part", "version", "state", "made from", "verified by", "used for"), rows)
    print()
    _table(("on this machine", "version", "state", "Debian package", "", "used for"), machine)
    print(f"\nDocker engine: {'answers' if engine.running() else 'does not answer'}")
    missing = [row[0] for row in rows if row[2] not in _GOOD]
    if missing:
        left = progress.remaining([p for p in PARTS if p.name in missing], progress.measured())
        print(f"to be made by `make up`: {', '.join(missing)} (about {progress.clock(left)})")
    absent = [row[0] for row in machine if row[2] == "missing"]
    if absent:
        print(f"not on this machine: {', '.join(absent)}")
    return 1 if absent else 0


def _row(part: Part) -> tuple[str, ...]:
    source = part.source
    if isinstance(source, Go):
        name, check = source.module, "go.sum"
    else:
        name, check = f"{source.distribution} (wheel)", "sha256"
    state = build.state_of(part)
    return (part.name, part.version, state, f"{source.origin}: {name}", check, part.role)


def _machine_row(command: str, package: str, role: str) -> tuple[str, ...]:
    path = shutil.which(command)
    version = _version(command) if path else ""
    return (command, version, "installed" if path else "missing", package, "", role)


def _version(command: str) -> str:
    if command == "python3":
        return sys.version.split()[0]
    arguments = [command, "version"] if command == "go" else [command, "--version"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    words = [w.strip(",") for w in done.stdout.split() if any(c.isdigit() for c in w)]
    return words[0] if words else "?"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, tuple("-" * w for w in widths), *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
