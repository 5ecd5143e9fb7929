"""Debian packages by lock file: name, version and sha256; where they come from is the machine's affair.

apt is used with a state of its own in the cache: it needs no root, changes nothing on the machine, and
knows no installed packages, so that a closure is the same wherever it is resolved. The addresses are
those of the machine's own apt configuration; what arrives is believed only after its sha256 matches.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness import lock, paths
from harness.errors import HarnessError
from harness.oci import file_digest

REFRESH = "python -m harness.images lock"


@dataclass(frozen=True, order=True)
class Deb:
    """One pinned package."""

    name: str
    version: str
    sha256: str

    @property
    def cached(self) -> Path:
        """Where it lies once fetched; the name carries the hash, so a changed lock never finds it."""
        return paths.cache() / "downloads" / f"{self.name}_{self.sha256[:16]}.deb"


def read_lock(file: Path) -> list[Deb]:
    """The packages of a lock file, one `name version sha256` a line."""
    try:
        lines = file.read_text().splitlines()
        return [Deb(*line.split()) for line in lines if line and not line.startswith("#")]
    except (OSError, TypeError) as error:
        raise HarnessError(f"{file}: not a package lock ({error}); remake it: {REFRESH}") from None


def write_lock(file: Path, debs: Iterable[Deb]) -> None:
    """Write a lock that `read_lock` understands, sorted, with no address in it."""
    lines = [f"{deb.name} {deb.version} {deb.sha256}" for deb in sorted(debs)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([f"# made by: {REFRESH}", *lines]) + "\n")


def fetch(file: Path) -> list[Path]:
    """Every package of the lock as a verified file in the cache, in the order of the lock."""
    debs = read_lock(file)
    missing = [deb for deb in debs if not fetched(deb)]
    if missing:
        try:
            _download(missing)
        except HarnessError:  # the lists may be older than the lock: read them once more
            _update()
            _download([deb for deb in missing if not fetched(deb)])
    return [deb.cached for deb in debs]


def fetched(deb: Deb) -> bool:
    """Whether the cache has it, whole and as pinned."""
    return deb.cached.exists() and file_digest(deb.cached) == f"sha256:{deb.sha256}"


def extract(debs: Iterable[Path], dest: Path) -> None:
    """Unpack packages over each other, leaving the note scanners look for about each of them."""
    notes = dest / "var/lib/dpkg/status.d"
    notes.mkdir(parents=True, exist_ok=True)
    for deb in debs:
        _run(["dpkg-deb", "--extract", str(deb), str(dest)])
        control = _run(["dpkg-deb", "--field", str(deb)])
        name = re.search(r"^Package: (\S+)", control, re.MULTILINE)
        assert name is not None
        (notes / name[1]).write_text(control)


def resolve(packages: Iterable[str], *, without: Iterable[str] = ()) -> list[Deb]:
    """The dependency closure of `packages` in the newest versions apt knows, less `without`."""
    _update()
    plan = _apt("apt-get", "--simulate", "--no-install-recommends", "install", *packages)
    found = dict(re.findall(r"^Inst (\S+) \((\S+)", plan, re.MULTILINE))
    kept = {name: version for name, version in found.items() if name not in set(without)}
    sums = _sums(f"{name}={version}" for name, version in kept.items())
    if absent := sorted(kept.keys() - sums.keys()):
        raise HarnessError(f"apt knows no sha256 for {', '.join(absent)}; are its lists complete?")
    return sorted(Deb(name, version, sums[name]) for name, version in kept.items())


def newest(packages: Iterable[str]) -> list[Deb]:
    """Exactly `packages`, without what they depend on, in the newest versions apt knows."""
    wanted = set(packages)
    return [deb for deb in resolve(wanted) if deb.name in wanted]


def _sums(pins: Iterable[str]) -> dict[str, str]:
    """The sha256 of each name=version, by name."""
    sums = {}
    for stanza in _apt("apt-cache", "show", "--no-all-versions", *pins).split("\n\n"):
        fields = dict(re.findall(r"^(Package|SHA256): (\S+)$", stanza, re.MULTILINE))
        if len(fields) == 2:
            sums[fields["Package"]] = fields["SHA256"]
    return sums


def _download(debs: list[Deb]) -> None:
    downloads = paths.cache() / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    if not any((paths.cache() / "apt/lists").glob("*Packages*")):
        _update()
    with tempfile.TemporaryDirectory(dir=downloads, prefix=".debs-") as folder:
        _apt("apt-get", "download", *(f"{d.name}={d.version}" for d in debs), cwd=Path(folder))
        arrived = {file.name.split("_")[0]: file for file in Path(folder).glob("*.deb")}
        for deb in debs:
            file = arrived[deb.name]
            if file_digest(file) != f"sha256:{deb.sha256}":
                raise HarnessError(f"{deb.name} {deb.version}: not the file the lock pins (sha256)")
            file.rename(deb.cached)


def _update() -> None:
    _apt("apt-get", "update")


def _apt(tool: str, *arguments: str, cwd: Path | None = None) -> str:
    """Run one apt tool on the private state."""
    if shutil.which("apt-get") is None:
        raise HarnessError("no apt on this machine: images are assembled on Debian 12")
    home = paths.cache() / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    (home / "status").touch()
    options = {"Dir::State": home, "Dir::State::status": home / "status", "Dir::Cache": home}
    flags = [f"-o{key}={value}" for key, value in options.items()]
    if os.getuid() == 0:  # the unprivileged helper cannot write to a private folder of root's
        flags.append("-oAPT::Sandbox::User=root")
    with lock.held(home / "lock"):  # apt's own locks would make a second run fail instead of wait
        return _run([tool, "-qq", *flags, *arguments], cwd=cwd)


def _run(command: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        said = next((x for x in done.stderr.splitlines() if x.startswith("E:")), done.stderr.strip())
        remedy = f"; a version that is gone: {REFRESH}" if "download" in command else ""
        raise HarnessError(f"{Path(command[0]).name}: {said}{remedy}")
    return done.stdout
