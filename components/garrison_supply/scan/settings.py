"""scan.toml: thresholds, tools, database, keys and ignores, as one checked, frozen value.

Every default is the strict one. `parse` reports every problem at once and never repairs one.
"""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from garrison.errors import Problem
from garrison.findings import Severity
from garrison_supply.scan import ignores
from garrison_supply.scan.ignores import Ignore
from garrison_supply.scan.model import Kind, ScanError
from garrison_supply.scan.table import Reader, Table, between, switch, text, texts

FILE = Path("scan.toml")
NONE: tuple[str, ...] = ()
# The lowest severity that fails.
THRESHOLDS: Mapping[Kind, Severity] = MappingProxyType(
    {
        Kind.VULNERABILITY: Severity.HIGH,  # NIST SP 800-190 4.1.1; lower ones are reported
        Kind.SECRET: Severity.LOW,  # a leaked secret is leaked; OWASP K08
        Kind.MISCONFIGURATION: Severity.HIGH,  # root, set-user-id, remote ADD: CIS Docker 4
        Kind.LICENCE: Severity.CRITICAL,  # Trivy's category "forbidden"; GPL system libraries are "restricted" (high)
        Kind.SIGNATURE: Severity.LOW,
    }
)
WITHDRAWN = {"0.69.4": "a malicious release"}  # of Trivy; a checksum that was copied from it would be accepted


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A binary that is run only when its SHA-256 is one of these."""

    name: str
    version: str
    sha256: frozenset[str]
    path: str
    timeout: int


@dataclass(frozen=True, kw_only=True)
class Database:
    """The vulnerability database: a folder with trivy.db, or a repository Trivy downloads from ("": its own)."""

    folder: Path | None
    repository: str
    max_age: datetime.timedelta


@dataclass(frozen=True, kw_only=True)
class Signatures:
    """Public keys, one of which must have signed each image, and the folder with the signatures."""

    required: bool
    keys: tuple[Path, ...]
    folder: Path


@dataclass(frozen=True, kw_only=True)
class Places:
    """The files with pins that `garrison outdated` reads.

    requirements: requirements.in files, each with its lock beside it; `--apply` renews both.
    wheels: pins of single wheels; only reported, since what they hold is named elsewhere too.
    debian: locks of Debian packages, `name version sha256` a line; `--apply` renews them.
    go: go.mod files of tools and charts; only reported.
    holds: what stays as it is for a time, with an owner and a reason, written like ignores.
    """

    requirements: tuple[Path, ...]
    wheels: tuple[Path, ...]
    debian: tuple[Path, ...]
    go: tuple[Path, ...]
    holds: tuple[Ignore, ...]

    def held(self, today: datetime.date) -> frozenset[str]:
        """The names that are to stay; an expired hold holds nothing."""
        return frozenset(hold.id for hold in self.holds if not hold.expired(today))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything scan.toml says. `unknown` is what a finding without a severity counts as."""

    thresholds: Mapping[Kind, Severity]
    unknown: Severity
    trivy: Tool
    cosign: Tool
    database: Database
    signatures: Signatures
    outdated: Places
    file_patterns: tuple[str, ...]
    ignores: tuple[Ignore, ...]


def load(file: Path, *, today: datetime.date) -> Settings:
    """The settings in `file`; raises ScanError with every problem."""
    try:
        values = tomllib.loads(file.read_text())
    except FileNotFoundError:
        raise ScanError(f"{file}: there is no such file; docs/scanning.md shows one") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ScanError(f"{file}: cannot be read: {error}") from None
    problems: list[Problem] = []
    settings = parse(values, file.parent, problems, today)
    if problems:
        raise ScanError(problems, f"{file}: {len(problems)} to mend:")
    return settings


def parse(values: Mapping[str, Any], beside: Path, problems: list[Problem], today: datetime.date) -> Settings:
    """The settings in `values`, void if `problems` has grown; paths are relative to `beside`."""
    top = Table(values, "", problems)
    limits = top.table("thresholds")
    scanner = top.table("scanner")
    settings = Settings(
        thresholds={kind: limits.take(kind.value, _severity, THRESHOLDS[kind]) for kind in Kind},
        unknown=limits.take("unknown", _severity, Severity.HIGH),
        file_patterns=scanner.take("file-patterns", texts, NONE),
        trivy=_tool("trivy", scanner),
        cosign=_tool("cosign", top.table("cosign")),
        database=_database(top.table("database"), beside),
        signatures=_signatures(top.table("signature"), beside),
        outdated=_places(top.table("outdated"), beside, _holds(top)),
        ignores=tuple(ignores.read(table, today + ignores.LONGEST) for table in top.tables("ignore")),
    )
    limits.done()
    top.done()
    return settings


def _tool(name: str, table: Table) -> Tool:
    tool = Tool(
        name=name,
        version=table.take("version", _version),
        sha256=frozenset(table.take("sha256", _sums, NONE)),
        path=table.take("path", text, name),
        timeout=table.take("timeout-seconds", between(1, 7200), 600),
    )
    table.done()
    return tool


def _database(table: Table, beside: Path) -> Database:
    folder, repository = table.optional("folder", _path(beside)), table.take("repository", text, "")
    if folder and repository:
        table.refuse("folder and repository", "name one of the two")
    # Trivy's own is built every six hours; three days outlast a weekend without a mirror.
    days = table.take("max-age-days", between(1, 30), 3)
    table.done()
    return Database(folder=folder, repository=repository, max_age=datetime.timedelta(days=days))


def _signatures(table: Table, beside: Path) -> Signatures:
    found = Signatures(
        required=table.take("required", switch, True),
        keys=tuple(beside / key for key in table.take("keys", texts, NONE)),
        folder=table.take("folder", _path(beside), beside / "signatures"),
    )
    table.done()
    return found


def _places(table: Table, beside: Path, holds: tuple[Ignore, ...]) -> Places:
    files, none = _files(beside), tuple[Path, ...]()
    named = {key: table.take(key, files, none) for key in ("requirements", "wheels", "debian", "go")}
    found = Places(**named, holds=holds)
    table.done()
    return found


def _holds(top: Table) -> tuple[Ignore, ...]:
    """A hold may be long: it hides no known vulnerability, only that something newer exists."""
    return tuple(ignores.read(table, datetime.date.max) for table in top.tables("hold"))


def _severity(value: Any) -> Severity:
    names = {str(one): one for one in Severity}
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"write one of {', '.join(names)}")
    return names[value]


def _version(value: Any) -> str:
    if not re.fullmatch(r"\d+\.\d+\.\d+", text(value)):
        raise ValueError("write a version such as 0.69.3")
    if value in WITHDRAWN:
        raise ValueError(f"this version is {WITHDRAWN[value]}: take another")
    return text(value)


def _sums(value: Any) -> tuple[str, ...]:
    if odd := [one for one in texts(value) if not re.fullmatch(r"[0-9a-f]{64}", one)]:
        raise ValueError(f"{odd[0]!r} is no SHA-256: write 64 hexadecimal digits")
    return texts(value)


def _files(beside: Path) -> Reader[tuple[Path, ...]]:
    """A reader of patterns, each of which must match: a renamed file must not drop out of sight."""

    def read(value: Any) -> tuple[Path, ...]:
        found = [(pattern, sorted(beside.glob(pattern))) for pattern in texts(value)]
        if idle := [pattern for pattern, paths in found if not paths]:
            raise ValueError(f"{idle[0]} matches no file here: name what exists")
        return tuple(path for _, paths in found for path in paths)

    return read


def _path(beside: Path) -> Reader[Path]:
    return lambda value: beside / Path(text(value)).expanduser()
