"""Debian's archives through apt, with a state of its own in the cache.

It needs no root, changes nothing on the machine and knows no installed packages, so that a closure is the same
wherever it is resolved. `configured` uses the machine's own sources, for files whose hash is known; `debian` believes
only what Debian's own keys signed, whatever the machine trusts besides, for versions that nobody has pinned yet.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from harness import apt, architecture, lock, paths
from harness.architecture import Architecture
from harness.debs import REFRESH, Deb
from harness.errors import HarnessError
from harness.oci import file_digest

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SUITE = "bookworm"


@dataclass(frozen=True)
class Archive:
    """One set of sources with the state apt keeps for it."""

    home: Path
    options: dict[str, object] = field(default_factory=dict)

    def update(self) -> None:
        """Read the package lists; apt refuses those without a valid signature."""
        self._apt("apt-get", "update")

    def offered(self, names: Iterable[str], *, newest: bool = False) -> list[Deb]:
        """The packages of these names that the lists hold: every version, or the one apt would take."""
        stanzas = self._apt("apt-cache", "show", f"--{'no-' * newest}all-versions", *names).split("\n\n")
        found = (dict(re.findall(r"^(Package|Version|SHA256): (\S+)$", stanza, re.MULTILINE)) for stanza in stanzas)
        return [Deb(one["Package"], one["Version"], one["SHA256"]) for one in found if len(one) == 3]

    def download(self, debs: Iterable[Deb]) -> None:
        """Put packages into the cache, each only when it is the file whose hash is asked for."""
        downloads = paths.cache() / "downloads"
        downloads.mkdir(parents=True, exist_ok=True)
        if not any((self.home / "lists").glob("*Packages*")):
            self.update()
        wanted = list(debs)
        with tempfile.TemporaryDirectory(dir=downloads, prefix=".debs-") as folder:
            self._apt("apt-get", "download", *(f"{deb.name}={deb.version}" for deb in wanted), cwd=Path(folder))
            arrived = {file.name.split("_")[0]: file for file in Path(folder).glob("*.deb")}
            for deb in wanted:
                file = arrived[deb.name]
                if file_digest(file) != f"sha256:{deb.sha256}":
                    raise HarnessError(f"{deb.name} {deb.version}: not the file the lock pins (sha256)")
                file.rename(deb.cached)

    def resolve(self, packages: Iterable[str], *, without: Iterable[str] = ()) -> list[Deb]:
        """The dependency closure of `packages` in the newest versions apt knows, less `without`."""
        self.update()
        plan = self._apt("apt-get", "--simulate", "--no-install-recommends", "install", *packages)
        found = dict(re.findall(r"^Inst (\S+) \((\S+)", plan, re.MULTILINE))
        kept = {(name, version) for name, version in found.items() if name not in set(without)}
        known = [deb for deb in self.offered(name for name, _ in kept) if (deb.name, deb.version) in kept]
        if absent := sorted({name for name, _ in kept} - {deb.name for deb in known}):
            raise HarnessError(f"apt knows no sha256 for {', '.join(absent)}; are its lists complete?")
        return sorted(set(known))

    def _apt(self, tool: str, *arguments: str, cwd: Path | None = None) -> str:
        if shutil.which("apt-get") is None:
            raise HarnessError("no apt on this machine: images are assembled on Debian 12")
        for folder in ("lists/partial", "archives/partial"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        (self.home / "status").touch()
        state = {"Dir::State": self.home, "Dir::State::status": self.home / "status", "Dir::Cache": self.home}
        flags = [f"-o{key}={value}" for key, value in (state | self.options).items()]
        if os.getuid() == 0:  # the unprivileged helper cannot write to a private folder of root's
            flags.append("-oAPT::Sandbox::User=root")
        with lock.held(self.home / "lock"):  # apt's own locks would make a second run fail instead of wait
            return _run([tool, "-qq", *flags, *arguments], cwd)


def configured(kind: Architecture | None = None) -> Archive:
    """The machine's own sources; for packages of another kind of machine if one is named."""
    if kind is None or kind == architecture.here():
        return Archive(paths.cache() / "apt")
    options: dict[str, object] = {"APT::Architecture": kind.name, "APT::Architectures": kind.name}
    return Archive(paths.cache() / f"apt-{kind.name}", options)


def debian() -> Archive:
    """Those of the machine's sources that are Debian's, held to Debian's own keys."""
    home = paths.cache() / "apt-signed"
    lines = [line.replace("deb ", f"deb [signed-by={KEYRING}] ", 1) for line in apt.sources(SUITE)]
    if not KEYRING.exists() or not lines:
        raise HarnessError(f"no sources of {SUITE} with Debian's keys ({KEYRING}): install debian-archive-keyring")
    home.mkdir(parents=True, exist_ok=True)
    (home / "sources.list").write_text("\n".join(lines) + "\n")
    return Archive(home, {"Dir::Etc::sourcelist": home / "sources.list", "Dir::Etc::sourceparts": "/dev/null"})


def newest(packages: Iterable[str], kind: Architecture | None = None) -> list[Deb]:
    """Exactly `packages`, without what they depend on, in the newest versions the machine's sources have."""
    wanted = set(packages)
    return [deb for deb in configured(kind).resolve(wanted) if deb.name in wanted]


def _run(command: list[str], cwd: Path | None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        said = next((x for x in done.stderr.splitlines() if x.startswith("E:")), done.stderr.strip())
        remedy = f"; a version that is gone: {REFRESH}" if "download" in command else ""
        raise HarnessError(f"{Path(command[0]).name}: {said}{remedy}")
    return done.stdout
