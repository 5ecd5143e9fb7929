"""The one reporter: a table for people, JSON for programs, SARIF for code scanning, of whatever finds something."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from garrison.findings import Accepted, Finding, Severity
from garrison.report.table import as_table

FORMATS: Final = ("table", "json", "sarif")
NOBODY: Final = {"apiVersion": "", "kind": "", "namespace": "", "name": ""}


class Known(Protocol):
    """What a rule says of itself, to whoever reads a report far from it."""

    @property
    def id(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def remedy(self) -> str: ...
    @property
    def references(self) -> Sequence[str]: ...


@dataclass(frozen=True, kw_only=True)
class Report:
    """What one command found.

    name: its kind, as JSON says it: check, lint, scan, outdated. `garrison ci gate` reads it by that, never by shape.
    findings: what is open, in the order to show. covered: what somebody answers for. shown: those of them to show.
    summary: one sentence with all the numbers. today: the day from which days left are counted.
    fields: what JSON has beside the name; by default the findings, a row each.
    """

    name: str
    findings: Sequence[Finding]
    covered: Sequence[tuple[Finding, Accepted]] = ()
    show_covered: bool = True
    summary: str
    today: datetime.date = datetime.date.min
    fields: Mapping[str, Any] = field(default_factory=dict)


def show(report: Report, form: str, *, rules: Iterable[Known] = ()) -> None:
    """Print it. The table ends with the summary; the other forms are for programs, and people read it beside them."""
    if form == "table":
        shown = report.covered if report.show_covered else ()
        print(f"{as_table(report.findings, shown, report.today)}{report.summary}")
        return
    if form == "json":
        print(as_json(report.name, **(report.fields or {"findings": rows(report)})), end="")
    else:
        from garrison.report.sarif import as_sarif  # here alone: the other forms start without it

        print(as_sarif(report.findings, report.covered, rules), end="")
    print(f"garrison: {report.summary}", file=sys.stderr)


def as_json(report: str, **fields: Any) -> str:
    """A report for programs, which says in `report` what it is."""
    return json.dumps({"report": report, **fields}, indent=2) + "\n"


def rows(report: Report) -> list[dict[str, Any]]:
    """The findings as JSON has them. What is covered is among them only if asked for, with its exception."""
    shown = report.covered if report.show_covered else ()
    covered = [{**row(finding), "exception": _accepted(one, report.today)} for finding, one in shown]
    return [*map(row, report.findings), *covered]


def row(finding: Finding) -> dict[str, Any]:
    """One finding as JSON has it."""
    return {
        "rule": finding.rule,
        "controls": list(finding.controls),
        "severity": str(finding.severity),
        "file": finding.file,
        "line": finding.line,
        "object": NOBODY if finding.object is None else finding.object.reference,
        "path": finding.path,
        "message": finding.message,
        "remedy": finding.remedy,
    }


def _accepted(one: Accepted, today: datetime.date) -> dict[str, Any]:
    left = (one.expires - today).days
    return {"owner": one.owner, "reason": one.reason, "expires": str(one.expires), "daysLeft": left}
