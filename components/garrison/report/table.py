"""Findings as a table for people."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence

from garrison.findings import Accepted, Finding, count, printable


def as_table(
    findings: Iterable[Finding], covered: Iterable[tuple[Finding, Accepted]] = (), today: datetime.date | None = None
) -> str:
    """Two lines for each finding: what and where, then the file, what is wrong and what to do."""
    rows = [_row(f.severity.name, f, f"{_place(f)}{f.message}; {f.remedy}") for f in findings]
    for finding, one in covered:
        left = count((one.expires - (today or one.expires)).days, "day")
        rows.append(_row("covered", finding, f"{one.owner}, {left} left: {one.reason}"))
    return columns(rows)


def _row(level: str, finding: Finding, below: str) -> tuple[str, ...]:
    return level, finding.rule, finding.subject, finding.path, below


def _place(finding: Finding) -> str:
    line = f":{finding.line}" if finding.line else ""
    return f"{finding.source}{line}: " if finding.source else ""


def columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows in aligned columns, without those that are empty; the last cell of each stands below it, indented."""
    clean = [[printable(cell) for cell in row] for row in rows]
    used = [i for i in range(len(rows[0]) - 1) if any(row[i] for row in clean)] if rows else []
    widths = [max(len(row[i]) for row in clean) for i in used]
    lines = []
    for row in clean:
        cells = [(row[i] or "-" * (i != used[-1])).ljust(width) for i, width in zip(used, widths, strict=True)]
        lines += ["  ".join(cells).rstrip(), f"{' ' * widths[0]}  {row[-1]}"]
    return "".join(f"{line}\n" for line in lines)
