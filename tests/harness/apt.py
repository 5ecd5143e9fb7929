"""Debian packages the machine itself needs; installed only as root on Debian, otherwise asked for."""

from __future__ import annotations

import os
import shutil

from harness import shell
from harness.errors import HarnessError

_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}


def can_install() -> bool:
    """Whether this process may install Debian packages."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def need(command: str, *packages: str) -> None:
    """Make sure `command` is there, from `packages` where that is allowed."""
    if shutil.which(command):
        return
    names = " ".join(packages)
    if not can_install():
        raise HarnessError(f"{command} is missing: install {names} (or run as root on Debian)")
    with shell.step(f"installing {names} from Debian"):
        shell.run(["apt-get", "update", "-qq"], what="reading Debian's package lists", env=_QUIET)
        shell.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
            what=f"installing {names}",
            env=_QUIET,
        )


def sources(suite: str) -> list[str]:
    """The machine's own source lines for `suite`; none when it has no such suite configured."""
    suites = {suite, f"{suite}-updates", f"{suite}-security"}
    told = shell.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"],
        what="reading apt's configuration",
    )
    lines = []
    for line in told.splitlines():
        uri, release, component = line.split()
        if release in suites and component == "main":
            lines.append(f"deb {uri} {release} main")
    return lines
