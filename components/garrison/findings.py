"""What every check of Garrison says of what it found: one shape, whoever looked."""

from __future__ import annotations

import datetime
import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar


class Severity(enum.IntEnum):
    """How much a finding weighs; `--fail-on` and thresholds compare. A scanner that does not know is no fifth word."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    def __str__(self) -> str:
        return self.name.lower()


class Named(Protocol):
    """What a finding can be about: its text form is for people, the reference for programs."""

    @property
    def reference(self) -> Mapping[str, str]: ...


class Accepted(Protocol):
    """Why a finding is not held against anybody for a time: a policy exception, or an ignore of a scan."""

    @property
    def owner(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def expires(self) -> datetime.date:
        """The last day on which it holds."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    rule: what it breaks, or what a scanner calls it: privileged-container, missing-timeout, CVE-2022-0778.
    file, line: where it is written; the image or folder for a scan. Line 0 is no line: a live cluster, an image.
    path: the place in it: a field, a package.
    object: what it is about, where that has a name of its own.
    """

    rule: str
    severity: Severity
    file: str
    line: int = 0
    path: str = ""
    object: Named | None = None
    controls: tuple[str, ...] = ()
    message: str
    remedy: str

    @property
    def subject(self) -> str:
        """What it is about, in a word or two; empty where the place says it all."""
        return str(self.object or "").strip()

    @property
    def source(self) -> str:
        """The file to open for it."""
        return self.file


AnyFinding = TypeVar("AnyFinding", bound=Finding)


def ordered(findings: Iterable[AnyFinding]) -> tuple[AnyFinding, ...]:
    """The worst first, and then as they stand in the files."""
    return tuple(sorted(findings, key=lambda one: (-one.severity, one.file, one.line, one.rule)))


def tally(findings: Iterable[Finding]) -> str:
    """How many, and of which weight: `2 findings (1 high, 1 low)`."""
    found = Counter(finding.severity for finding in findings)
    levels = [f"{found[level]} {level}" for level in sorted(found, reverse=True)]
    return count(found.total(), "finding") + (f" ({', '.join(levels)})" if levels else "")


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def printable(text: str) -> str:
    """Names come from files nobody vetted: escape what would move a terminal's cursor, forge a line or command a CI."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
