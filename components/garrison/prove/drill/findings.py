"""What a drill found, as JSON in the shape of the other reports and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from garrison.prove.model import Layer
from garrison.report import as_json as as_report


@dataclass(frozen=True)
class Finding:
    """What the probes said to one cut: the first deviation, and whether the estate came back."""

    what: str
    layer: Layer
    noticed: str
    missed: tuple[str, ...]
    recovered: bool

    @property
    def ok(self) -> bool:
        return bool(self.noticed) and not self.missed and self.recovered

    @property
    def verdict(self) -> str:
        if not self.noticed or self.missed:
            return f"MISSED{' at ' + ', '.join(self.missed) if self.missed else ''}"
        return "noticed" if self.recovered else "NOT RECOVERED"


def as_json(findings: Sequence[Finding], *, run: str, seconds: float) -> str:
    """One object, shaped like that of the probes."""
    wrong = [f"{finding.what}: {finding.verdict}" for finding in findings if not finding.ok]
    summary = {"run": run, "seconds": round(seconds, 1), "probes": len(findings), "deviations": wrong, "ok": not wrong}
    return as_report("drill", probes=[_row(finding) for finding in findings], summary=summary)


def _row(finding: Finding) -> dict[str, object]:
    return {
        "source": "drill",
        "target": finding.what,
        "port": 0,
        "operation": finding.noticed,
        "kind": "drill",
        "expected": "noticed",
        "observed": finding.verdict,
        "layer": finding.layer,
        "ok": finding.ok,
    }


def as_table(findings: Sequence[Finding], *, run: str, seconds: float) -> str:
    """One line a protection, with the probe that noticed its absence."""
    width = max(len(finding.what) for finding in findings)
    lines = [f"{finding.what.ljust(width)}  {finding.verdict}: {finding.noticed or '-'}" for finding in findings]
    good = sum(finding.ok for finding in findings)
    return (
        "\n".join([*lines, "", f"run {run}: {good} of {len(findings)} noticed and put back in {seconds:.0f} s"]) + "\n"
    )
