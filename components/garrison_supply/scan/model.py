"""What a scan finds, and the error that says that nothing can be said."""

from __future__ import annotations

import enum
import posixpath
from dataclasses import dataclass

from garrison import findings
from garrison.errors import GarrisonError


class ScanError(GarrisonError):
    """Why a target could not be scanned: what, where, what to do, in one line. Exit code 2, never "clean"."""


class Kind(enum.StrEnum):
    """What a finding is about; each has a threshold of its own."""

    VULNERABILITY = "vulnerability"
    SECRET = "secret"  # noqa: S105  # the name of a kind
    MISCONFIGURATION = "misconfiguration"
    LICENCE = "licence"
    SIGNATURE = "signature"


@dataclass(frozen=True, kw_only=True)
class Finding(findings.Finding):
    """One thing that is wrong with a target, the image or folder in `file`; `path` is the package or file in it.

    kind: what it is about.
    installed, fixed: the version found and the one that mends it; empty where there is none.
    inside: the file of a folder that it is written in, where that is known.
    """

    kind: Kind
    installed: str = ""
    fixed: str = ""
    inside: str = ""

    @property
    def subject(self) -> str:
        return self.kind

    @property
    def source(self) -> str:
        return posixpath.normpath(posixpath.join(self.file, self.inside)) if self.inside else self.file
