"""Python pins: the newest set of versions that fit together, as the resolver finds it, and what is known of the old."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from garrison_supply.outdated.model import Behind, UnknownError, ask

_LOOSE = re.compile(
    r"^(?P<name>[A-Za-z0-9][\w.-]*)(?P<extras>\[[^\]]*\])?==[^\s;\\]+(?P<hashes>(?: --hash=\S+)*)", re.MULTILINE
)
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)(?P<extras>\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_COMPILE = ("--generate-hashes", "--no-header", "--no-emit-index-url", "--no-emit-find-links",
            "--python-version", "3.11", "--upgrade", "--quiet")  # fmt: skip


def pins(text: str) -> dict[str, str]:
    """Name to version of every `name==version` in a requirements file or lock."""
    found = (_PIN.match(line) for line in text.splitlines())
    return {normal(pin["name"]): pin["version"] for pin in found if pin}


def normal(name: str) -> str:
    """A distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def newest(file: Path, environ: Mapping[str, str], held: Collection[str] = ()) -> str:
    """The lock that `file` would have today, were nothing pinned but what is held; hashes, and no address in it."""

    def loosened(pin: re.Match[str]) -> str:
        return pin[0] if normal(pin["name"]) in held else pin["name"] + (pin["extras"] or "")

    loose = _LOOSE.sub(loosened, file.read_text())
    # uv knows nothing of pip's configuration; where only pip is configured, it is told.
    env = {"UV_DEFAULT_INDEX": environ["PIP_INDEX_URL"]} if "PIP_INDEX_URL" in environ else {}
    lock = locked(file)
    plain = [] if lock.exists() and "# via" in lock.read_text() else ["--no-annotate"]  # as the lock was written
    uv = Path(sys.executable).with_name("uv")
    with tempfile.TemporaryDirectory(prefix="garrison-outdated-") as folder:
        source = Path(folder, "requirements.in")
        source.write_text(loose)
        told = ask([uv if uv.exists() else "uv", "pip", "compile", *_COMPILE, *plain, source], env=env)
        text = told.replace(str(source), file.name)  # the notes name the file, not our copy of it
    if pins(file.read_text()).keys() - pins(text).keys():
        raise UnknownError(f"{file}: the resolver left out what it asks for")
    return text


def behind(file: Path, latest: str) -> list[Behind]:
    """What the lock of `file` (or `file` itself, if it has none) is behind the lock in `latest`."""
    lock = locked(file)
    now, then = pins(lock.read_text()), pins(latest)
    return [
        Behind(kind="python", name=name, file=str(lock), current=version, newest=then[name])
        for name, version in sorted(now.items())
        if name in then and then[name] != version
    ]


def locked(file: Path) -> Path:
    """The lock beside a requirements.in; other files are their own."""
    return file.with_suffix(".lock") if file.suffix == ".in" else file


def bumped(text: str, latest: str) -> str:
    """A requirements.in with its own pins raised to those of the lock in `latest`; comments and unpinned lines stay."""
    versions = pins(latest)

    def line(old: str) -> str:
        pin = _PIN.match(old)
        new = pin and versions.get(normal(pin["name"]))
        return old[: pin.start("version")] + new + old[pin.end("version") :] if pin and new else old

    return "".join(line(old) for old in text.splitlines(keepends=True))


def vulnerable(lock: Path) -> list[Behind]:
    """What pip-audit knows about the pins of a lock; a package it could not look up is an error, not a good sign."""
    audit = Path(sys.executable).with_name("pip-audit")
    command = [audit if audit.exists() else "pip-audit", "-r", lock, "--no-deps", "--disable-pip", "--format", "json"]
    text = ask([*command, "--progress-spinner", "off"], ok=(0, 1))  # 1: something was found
    try:
        entries = json.loads(text)["dependencies"]
        skipped = [entry["name"] for entry in entries if "skip_reason" in entry]
        judged = [(entry["name"], entry["version"], entry["vulns"]) for entry in entries if "skip_reason" not in entry]
    except (ValueError, KeyError, TypeError) as error:
        raise UnknownError(f"{lock}: pip-audit's report cannot be read: {error!r}") from None
    # It ends with 0 and "no known vulnerabilities" even when it could look up nothing at all.
    if skipped or len(judged) < len(pins(lock.read_text())):
        raise UnknownError(f"{lock}: pip-audit could not look up {len(skipped)} of {len(entries)} packages")
    return [_advised(lock, name, version, vulns) for name, version, vulns in judged if vulns]


def _advised(lock: Path, name: str, version: str, vulns: list[dict[str, list[str]]]) -> Behind:
    fixes = sorted({fix for vuln in vulns for fix in vuln["fix_versions"]}, key=_order)
    names = ", ".join(sorted(str(vuln["id"]) for vuln in vulns))
    fixing = f"{fixes[-1] if fixes else 'no fix yet'} ({names})"
    return Behind(
        kind="python", name=name, file=str(lock), current=version, newest=fixes[-1] if fixes else "", fixing=fixing
    )


def _order(version: str) -> tuple[tuple[bool, int, str], ...]:
    """Versions in an order that puts 1.10 behind 1.9; good enough to name the last of a few fixes."""
    words = re.findall(r"\d+|[a-z]+", version)
    return tuple((word.isdigit(), int(word) if word.isdigit() else 0, word) for word in words)
