"""Kernel limits that a cluster of proxies runs into, raised where that is allowed.

Every Envoy watches its certificates, each watch takes an inotify instance, and the kernel's own 128 a user are
counted across all nodes of all clusters, since they share it (kind's "known issues" page says the same).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from harness.errors import HarnessError
from harness.progress import say

NEEDED: Mapping[str, int] = MappingProxyType(
    {"fs.inotify.max_user_instances": 8192, "fs.inotify.max_user_watches": 524_288}
)
SYSTEM = Path("/proc/sys")


def ensure(system: Path = SYSTEM) -> None:
    """Raise what is too low; HarnessError with the command to run where that is not allowed."""
    for name, needed in NEEDED.items():
        file = system / name.replace(".", "/")
        found = int(file.read_text())
        if found >= needed:
            continue
        try:
            file.write_text(f"{needed}\n")
        except OSError as error:
            raise HarnessError(
                f"{name} is {found}: run `sysctl -w {name}={needed}` as root ({error.strerror})"
            ) from None
        say(f"{name} raised from {found} to {needed}: proxies watch their certificates")
