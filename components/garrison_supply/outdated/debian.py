"""Debian pins (`name version sha256` a line): newer versions and pending security updates, as the machine's apt knows.

apt works on a state of its own: it needs no root, changes nothing on the machine, and knows no installed packages.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from garrison_supply.outdated.model import Behind, UnknownError, ask


@dataclass(frozen=True)
class Apt:
    """apt with a private state below `home`."""

    home: Path

    def update(self) -> None:
        """Read the package lists afresh; what cannot be read is an error, not an old answer."""
        for folder in ("lists/partial", "archives/partial"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        (self.home / "status").touch()
        self.run("apt-get", "update", "--error-on=any")
        suites = self.run("apt-get", "indextargets", "--format", "$(RELEASE)", "Created-By: Packages").split()
        if not any(suite.endswith("-security") for suite in suites):
            raise UnknownError("apt has no security suite configured, so no security update could be seen")

    def run(self, tool: str, *arguments: str) -> str:
        """What an apt tool prints."""
        options = {"Dir::State": self.home, "Dir::State::status": self.home / "status", "Dir::Cache": self.home}
        if os.getuid() == 0:  # the unprivileged helper cannot write to a private folder of root's
            options["APT::Sandbox::User"] = Path("root")
        return ask([tool, "-qq", *(f"-o{key}={value}" for key, value in options.items()), *arguments])


@dataclass(frozen=True)
class Known:
    """What apt knows of one package: the version it would install, and those of the security suites."""

    version: str
    sha256: str
    security: tuple[str, ...]


def pins(lock: Path) -> dict[str, str]:
    """Name to version of every package in a lock."""
    lines = [line.split() for line in lock.read_text().splitlines() if line and not line.startswith("#")]
    if odd := [line for line in lines if len(line) != 3]:
        raise UnknownError(f"{lock}: {' '.join(odd[0])[:60]!r} is not `name version sha256`")
    return {line[0]: line[1] for line in lines}


def known(apt: Apt, names: Iterable[str]) -> dict[str, Known]:
    """What apt knows of each package; a package it does not know is an error."""
    wanted = sorted(set(names))
    shown = {}
    for stanza in apt.run("apt-cache", "show", "--no-all-versions", *wanted).split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|SHA256): (\S+)$", stanza, re.MULTILINE))
        if len(fields) == 3:
            shown[fields["Package"]] = (fields["Version"], fields["SHA256"])
    if absent := [name for name in wanted if name not in shown]:
        raise UnknownError(f"apt knows nothing of {', '.join(absent)}")
    security = _security(apt.run("apt-cache", "madison", *wanted))
    return {name: Known(*shown[name], tuple(security.get(name, ()))) for name in wanted}


def behind(lock: Path, packages: Mapping[str, Known]) -> list[Behind]:
    """What a lock is behind apt; `fixing` is the newest version of a security suite, if the lock has an older one."""
    found = []
    for name, version in sorted(pins(lock).items()):
        fixes = [fix for fix in packages[name].security if newer(fix, version)]
        latest = packages[name].version
        if fixes or newer(latest, version):
            fixing = f"{fixes[0]} (security update)" if fixes else ""
            found.append(
                Behind(kind="debian", name=name, file=str(lock), current=version, newest=latest, fixing=fixing)
            )
    return found


def relocked(lock: Path, packages: Mapping[str, Known], held: Collection[str] = ()) -> str:
    """The lock with every package that is not held at the version apt would install; comments stay."""
    lines, moving = [], packages.keys() - set(held)
    for line in lock.read_text().splitlines():
        name = line.partition(" ")[0]
        lines.append(f"{name} {packages[name].version} {packages[name].sha256}" if name in moving else line)
    return "\n".join(lines) + "\n"


def newer(one: str, other: str) -> bool:
    """Whether a Debian version is later than another, as dpkg orders them."""
    return one != other and not subprocess.run(["dpkg", "--compare-versions", one, "gt", other], check=False).returncode


def _security(madison: str) -> dict[str, list[str]]:
    """Package to the versions in security suites, newest first as apt lists them."""
    found: dict[str, list[str]] = {}
    for line in madison.splitlines():
        name, version, origin = (word.strip() for word in line.split("|"))
        if re.search(r"\s\S+-security/", origin):
            found.setdefault(name, []).append(version)
    return found
