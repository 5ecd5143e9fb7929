"""Says what the harness needs, what of it is here, what it is made from, and how it is checked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import astuple

from harness import build, engine, machine, official, paths, prerequisites, progress, ways
from harness.environment import MAIN
from harness.parts import PARTS, UP, Go, Npm, Part
from harness.ways import Ways

# What runs the harness and, as root on Debian, is installed when it is first needed: command, package, role.
_TOOLS = (
    ("python3", "python3", "runs the harness"),
    ("make", "make", "the front door"),
    ("docker", "docker.io", "runs the nodes of the cluster"),
    ("mmdebstrap", "mmdebstrap", "makes the node's root file system"),
    ("gcc", "gcc", "compiles the one C program"),
)
_GOOD = {"ready", "installed"}


def report() -> int:
    """Print the tables; 1 when the machine lacks what the harness cannot make."""
    found = machine.look()
    parts = [_row(part) for part in PARTS]
    tools = [_tool_row(*entry, installs=found.root) for entry in _TOOLS]
    way = ways.chosen()
    needs = prerequisites.rows(found, prerequisites.lacking(way.needed(PARTS)), cluster=True, way=way)
    _table(("part", "version", "state", "made from", "verified by", "used for"), parts)
    print()
    _table(("tool", "version", "state", "Debian package", "used for"), tools)
    print()
    _table(("this machine", "has", "needed", "what to do"), [astuple(row) for row in needs])
    silent = "listens; its command is installed when needed" if engine.listening() else "does not answer"
    print(f"\nDocker engine: {'answers' if found.engine else silent}")
    for what, where in _origins(way).items():
        print(f"{what}: {where}")
    missing = {row[0] for row in parts if row[2] not in _GOOD}
    for rows, verb in ((UP, "make up"), ([part for part in PARTS if part not in UP], "make test")):
        if todo := [part for part in rows if part.name in missing]:
            left = progress.clock(progress.remaining(todo, progress.measured()))
            print(f"to be made by `{verb}`: {', '.join(part.name for part in todo)} (about {left})")
    return 1 if any(row.remedy for row in needs) else 0


def _origins(way: Ways) -> dict[str, str]:
    """Where comes from what may come from elsewhere."""
    plugin = official.found(paths.state() / MAIN / "pulumi-home")
    return {
        "node image": way.node or f"made here ({ways.NODE} names kind's own)",
        "images of the estate": way.registry or f"made here ({ways.REGISTRY} names a registry that has them)",
        "images as their makers publish them": f"{len(way.upstream)} by digest in {os.environ[ways.UPSTREAM]}"
        if way.upstream
        else f"none taken ({ways.UPSTREAM} names a file of them)",
        "Kubernetes plugin of Pulumi": str(plugin) if plugin else "the stand-in; none of Pulumi's own is installed",
    }


def _row(part: Part) -> tuple[str, ...]:
    source = part.source
    if isinstance(source, Go):
        name, check = source.module, "go.sum"
    elif isinstance(source, Npm):
        name, check = part.name, "integrity"
    else:
        name, check = f"{source.distribution} (wheel)", "sha256"
    state = build.state_of(part)
    return (part.name, part.version, state, f"{source.origin}: {name}", check, part.role)


def _tool_row(command: str, package: str, role: str, *, installs: bool) -> tuple[str, ...]:
    path = shutil.which(command)
    absent = "installed when needed" if installs else "missing"
    return (command, _version(command) if path else "", "installed" if path else absent, package, role)


def _version(command: str) -> str:
    if command == "python3":
        return sys.version.split()[0]
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    words = [w.strip(",") for w in done.stdout.split() if any(c.isdigit() for c in w)]
    return words[0] if words else "?"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, tuple("-" * w for w in widths), *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
