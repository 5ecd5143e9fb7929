"""Kernel limits that a cluster of proxies runs into, raised where that is allowed.

Every Envoy watches its certificates, each watch takes an inotify instance, and the kernel's own 128 a user are
counted across all nodes of all clusters, since they share it (kind's "known issues" page says the same).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from harness.errors import HarnessError
from harness.progress import say

NEEDED: Mapping[str, int] = MappingProxyType(
    {"fs.inotify.max_user_instances": 8192, "fs.inotify.max_user_watches": 524_288}
)
SYSTEM = Path("/proc/sys")


def low(system: Path = SYSTEM) -> dict[str, int]:
    """The limits that are too low, with what they are; a system without them is told so by its name."""
    files = {name: _file(system, name) for name in NEEDED}
    found = {name: int(file.read_text()) for name, file in files.items() if file.exists()}
    return {name: value for name, value in found.items() if value < NEEDED[name]}


def _file(system: Path, name: str) -> Path:
    return system / name.replace(".", "/")


def raisable(system: Path = SYSTEM) -> bool:
    """Whether this process may write them: root may not, in a container whose /proc/sys is read-only."""
    return all(os.access(_file(system, name), os.W_OK) for name in NEEDED)


def ensure(system: Path = SYSTEM) -> None:
    """Raise what is too low; HarnessError with the command to run where that is not allowed."""
    for name, found in low(system).items():
        needed = NEEDED[name]
        try:
            _file(system, name).write_text(f"{needed}\n")
        except OSError as error:
            raise HarnessError(
                f"{name} is {found}: run `sysctl -w {name}={needed}` as root ({error.strerror})"
            ) from None
        say(f"{name} raised from {found} to {needed}: proxies watch their certificates")
