"""What a drill found, as JSON in the shape of the other reports and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from garrison.prove.model import Layer
from garrison.report import as_json as as_report

NOTICED: Final = "noticed"


@dataclass(frozen=True)
class Finding:
    """What the probes said to one cut: the first deviation, and whether the estate came back."""

    what: str
    layer: Layer
    noticed: str
    missed: tuple[str, ...]
    recovered: bool
    tried: bool = True
    """Whether a probe of this run could notice it; that it was not made is told, and is no deviation."""
    error: str = ""
    """What was wrong before it was made; the drill ends there."""

    @property
    def ok(self) -> bool:
        return not self.tried or (bool(self.noticed) and not self.missed and self.recovered and not self.error)

    @property
    def verdict(self) -> str:
        if not self.tried:
            return "not tried"
        if self.error:
            return "NOT MADE"
        if not self.noticed or self.missed:
            return f"MISSED{' at ' + ', '.join(self.missed) if self.missed else ''}"
        return NOTICED if self.recovered else "NOT RECOVERED"


def as_json(findings: Sequence[Finding], *, run: str, seconds: float) -> str:
    """One object, shaped like that of the probes."""
    wrong = [f"{finding.what}: {finding.verdict}" for finding in findings if not finding.ok]
    untried = [finding.what for finding in findings if not finding.tried]
    told = {"run": run, "seconds": round(seconds, 1), "probes": len(findings), "deviations": wrong, "untried": untried}
    summary = {**told, "ok": not wrong}
    return as_report("drill", probes=[_row(finding) for finding in findings], summary=summary)


def _row(finding: Finding) -> dict[str, object]:
    return {
        "source": "drill",
        "target": finding.what,
        "port": 0,
        "operation": finding.noticed or finding.error,
        "kind": "drill",
        "expected": "noticed",
        "observed": finding.verdict,
        "layer": finding.layer,
        "ok": finding.ok,
    }


def as_table(findings: Sequence[Finding], *, run: str, seconds: float) -> str:
    """One line a protection, with the probe that noticed its absence."""
    width = max(len(finding.what) for finding in findings)
    lines = [f"{found.what.ljust(width)}  {found.verdict}: {_why(found)}" for found in findings]
    made = [finding for finding in findings if finding.tried]
    good, left = sum(finding.ok for finding in made), len(findings) - len(made)
    end = f"run {run}: {good} of {len(made)} noticed and put back in {seconds:.0f} s"
    return "\n".join([*lines, "", f"{end}; {left} not tried" if left else end]) + "\n"


def _why(finding: Finding) -> str:
    return finding.noticed or finding.error or ("-" if finding.tried else "no probe of this run can notice it")
