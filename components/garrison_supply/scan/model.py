"""What a scan finds, and the error that says that nothing can be said."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from garrison.errors import GarrisonError


class ScanError(GarrisonError):
    """Why a target could not be scanned: what, where, what to do, in one line. Exit code 2, never "clean"."""


class Severity(enum.IntEnum):
    """How much a finding weighs, in Trivy's words; thresholds compare."""

    UNKNOWN = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    def __str__(self) -> str:
        return self.name.lower()


class Kind(enum.StrEnum):
    """What a finding is about; each has a threshold of its own."""

    VULNERABILITY = "vulnerability"
    SECRET = "secret"  # noqa: S105  # the name of a kind
    MISCONFIGURATION = "misconfiguration"
    LICENCE = "licence"
    SIGNATURE = "signature"


@dataclass(frozen=True, order=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    target: the image or folder.
    id: what the scanner calls it: CVE-2022-0778, DS-0002, private-key, GPL-3.0-only.
    where: the package or file it is in.
    installed, fixed: the version found and the one that mends it; empty where there is none.
    """

    target: str
    kind: Kind
    id: str
    where: str
    severity: Severity
    title: str = ""
    installed: str = ""
    fixed: str = ""
