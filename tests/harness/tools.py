"""Tools that this machine already has: used in place of our own where their version is compatible, and said so once.

A range begins where something is known to work with the rest and ends before the next release that may break a promise.
"""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from harness.parts import PARTS
from harness.paths import cache
from harness.progress import say

Version = tuple[int, ...]


@dataclass(frozen=True)
class Tool:
    """One tool: the command that says its version, and which versions are taken."""

    asks: tuple[str, ...]
    least: Version
    below: Version
    why: str

    @property
    def range(self) -> str:
        """For people."""
        return f"{_text(self.least)} or newer, below {_text(self.below)}"


_PULUMI = Tool(("pulumi", "version"), (3, 259), (4,), "an engine is never older than the SDK that speaks to it")
# By output. What comes with a tool (Pulumi's language host) is judged by that tool.
COMPATIBLE: Mapping[str, Tool] = MappingProxyType(
    {
        "kind": Tool(("kind", "version"), (0, 33), (0, 40), "older ones were not tried with the node image"),
        "kubectl": Tool(
            ("kubectl", "version", "--client"), (1, 35), (1, 38), "Kubernetes' own skew: one minor version"
        ),
        "helm": Tool(
            ("helm", "version", "--short"), (3, 18), (4,), "3.18 is the first that renders for Kubernetes 1.33"
        ),
        "pulumi": _PULUMI,
        "pulumi-resource-pulumi-python": _PULUMI,
        "pulumi-language-python": _PULUMI,
        "pulumi-language-python-exec": _PULUMI,
        "pulumi-language-nodejs": _PULUMI,
    }
)


@functools.cache
def installed(output: str) -> Path | None:
    """The machine's own copy of a tool, when its version is compatible."""
    tool, path = COMPATIBLE.get(output), shutil.which(output)
    if tool is None or not path or str(cache()) in path:
        return None
    said = version(tool)
    if not tool.least <= said < tool.below:
        return None
    _say(tool.asks[0], said, tool)
    return Path(path)


def version(tool: Tool) -> Version:
    """What the machine's copy says; () when there is none, or it says nothing."""
    try:
        told = subprocess.run(tool.asks, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    match = re.search(r"\bv?(\d+(?:\.\d+)+)", told.stdout)
    return tuple(map(int, match[1].split("."))) if match else ()


@functools.cache
def _say(name: str, said: Version, tool: Tool) -> None:
    """Where it is the very version of the table there is nothing to say."""
    ours = next(row.version for row in PARTS if name in row.outputs)
    if f"v{_text(said)}" != ours:
        say(f"{name} {_text(said)} of this machine is used ({tool.range}); tested here: {ours}")


def _text(version: Version) -> str:
    return ".".join(map(str, version))
