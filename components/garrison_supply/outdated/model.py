"""What is behind, and the error of a source that does not answer."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from garrison.errors import GarrisonError
from garrison.findings import Finding, Severity


class UnknownError(GarrisonError):
    """Why nothing can be said about a source: what did not answer, and what to do. Never "up to date"."""


@dataclass(frozen=True, order=True, kw_only=True)
class Behind:
    """One pin that is behind.

    kind: python, debian, go or database.
    newest: the newest version that can be taken.
    fixing: the version that mends a known vulnerability, with its names; empty where none is known.
    """

    kind: str
    name: str
    file: str
    current: str
    newest: str
    fixing: str = ""

    @property
    def finding(self) -> Finding:
        """The same as every check says it: to be behind is little, to be behind a known mend is not."""
        late = f"{self.current} is behind {self.newest}"
        lock = "raise the pin and lock again; for Python and Debian `garrison outdated --apply` does it"
        return Finding(
            rule="vulnerable" if self.fixing else "behind",
            severity=Severity.HIGH if self.fixing else Severity.LOW,
            file=self.file,
            path=self.name,
            message=f"{self.current} has a known vulnerability; the fix: {self.fixing}" if self.fixing else late,
            remedy="fetch a newer one" if self.kind == "database" else lock,
        )


def ask(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, ok: Sequence[int] = (0,)) -> str:
    """What a tool prints; UnknownError when it is missing, fails or does not end."""
    argv = [str(word) for word in command]
    try:
        done = subprocess.run(
            argv, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=300, check=False
        )
    except FileNotFoundError:
        raise UnknownError(f"{argv[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise UnknownError(f"{argv[0]} gave no answer in 300 s") from None
    if done.returncode not in ok:
        words = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        raise UnknownError(f"{Path(argv[0]).name}: {words[-1][-300:] if words else f'exit {done.returncode}'}")
    return done.stdout
