"""What a check found, as a table for people and as JSON for programs."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from garrison.findings import Severity, printable
from garrison_policies.exceptions.file import PolicyException
from garrison_policies.language.objects import Object
from garrison_policies.language.rule import Finding, Rule

NOBODY = {"apiVersion": "", "kind": "", "namespace": "", "name": ""}


@dataclass(frozen=True, kw_only=True)
class Report:
    """findings: what is open, worst first. covered: what exceptions cover, shown if asked for. objects: how many were
    checked. lines: where in its file the document of an object starts. today: the day the exceptions were counted from.
    """

    findings: tuple[Finding, ...]
    covered: tuple[tuple[Finding, PolicyException], ...] = ()
    objects: int = 0
    lines: Mapping[Object, int] = field(default_factory=dict)
    today: datetime.date
    show_covered: bool = False

    def line(self, finding: Finding) -> int:
        """The line to point at; 1 where there is none, as on a live cluster."""
        return self.lines.get(finding.object, 1) if finding.object is not None else 1

    def summary(self) -> str:
        """One sentence with all the numbers."""
        found = Counter(finding.severity for finding in self.findings)
        levels = [f"{found[level]} {level.name.lower()}" for level in sorted(Severity, reverse=True) if found[level]]
        shares = f" ({', '.join(levels)})" if levels else ""
        covered = f", {len(self.covered)} covered by exceptions" if self.covered else ""
        return f"{count(len(self.findings), 'finding')}{shares} in {count(self.objects, 'object')}{covered}"


def ordered(findings: Iterable[Finding], lines: Mapping[Object, int]) -> tuple[Finding, ...]:
    """The worst first, and then as they stand in the files."""

    def place(finding: Finding) -> tuple[int, str, int, str]:
        line = lines.get(finding.object, 0) if finding.object is not None else 0
        return -finding.severity, finding.file, line, finding.rule

    return tuple(sorted(findings, key=place))


def as_json(report: Report) -> str:
    """An array of findings. What an exception covers is in it only if asked for, with the exception."""
    rows = [as_row(finding) for finding in report.findings]
    if report.show_covered:
        rows += [{**as_row(finding), "exception": _exception(one, report.today)} for finding, one in report.covered]
    return json.dumps(rows, indent=2) + "\n"


def as_row(finding: Finding) -> dict[str, Any]:
    """A finding as JSON has it."""
    return {
        "rule": finding.rule,
        "controls": list(finding.controls),
        "severity": finding.severity.name.lower(),
        "file": finding.file,
        "object": NOBODY if finding.object is None else finding.object.reference,
        "path": finding.path,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def as_listed(rule: Rule) -> dict[str, Any]:
    """A rule as `check --list` says it in JSON."""
    return {
        "rule": rule.id,
        "severity": rule.severity.name.lower(),
        "title": rule.title,
        "remedy": rule.remedy,
        "tags": sorted(rule.tags),
        "controls": list(rule.controls),
        "references": list(rule.references),
    }


def as_table(report: Report) -> str:
    """Two lines for each finding: what and where, then the file, what is wrong and what to do."""
    rows = [
        (f.severity.name, f.rule, named(f), f.path, f"{_place(report, f)}{f.message}; {f.remedy}")
        for f in report.findings
    ]
    if report.show_covered:
        rows += [
            ("covered", f.rule, named(f), f.path, f"{one.owner}, {one.days_left(report.today)} days left: {one.reason}")
            for f, one in report.covered
        ]
    return f"{columns(rows)}{report.summary()}\n"


def columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows in aligned columns; the last cell of each stands below it, after the first column."""
    clean = [[printable(cell) for cell in row] for row in rows]
    widths = [max((len(row[i]) for row in clean), default=0) for i in range(len(rows[0]) - 2)] if rows else []
    lines = []
    for *cells, last, below in clean:
        lines.append(
            "  ".join([*(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)), last]).rstrip()
        )
        lines.append(f"{' ' * widths[0]}  {below}")
    return "".join(f"{line}\n" for line in lines)


def named(finding: Finding) -> str:
    return str(finding.object or "").strip() or "-"


def _place(report: Report, finding: Finding) -> str:
    known = finding.object in report.lines if finding.object is not None else False
    return f"{finding.file}:{report.line(finding)}: " if known else f"{finding.file}: " if finding.file else ""


def _exception(one: PolicyException, today: datetime.date) -> dict[str, Any]:
    return {"owner": one.owner, "reason": one.reason, "expires": str(one.expires), "daysLeft": one.days_left(today)}


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
