"""Why a report speaks against: the findings of the checks whose output is known, the last words of all others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from garrison_supply.pipelines.report import Report


def reasons(report: Report) -> Iterator[str]:
    """One line for each finding; for a check that could not be done, what it said. None for one that passed."""
    if report.exit == 0:
        yield from _contradiction(report.output)
    elif report.exit == 1:
        found = list(_findings(report.output))
        yield from found or [_last(report, "found something")]
    else:
        yield _last(report, f"could not be done (exit code {report.exit})")


def _contradiction(output: Any) -> Iterator[str]:
    """A pass that does not fit what it lists."""
    if isinstance(output, Mapping) and "clean" in output and (output["clean"] is not True or output.get("failing")):
        yield "says that it passed, and lists what failed; run the step again"


def _findings(output: Any) -> Iterator[str]:
    if isinstance(output, Mapping):  # of `garrison scan`
        yield from (_scanned(row) for row in _rows(output.get("failing")))
        yield from (f"an ignore has expired: {text}" for text in output.get("expired") or ())
        yield from (_behind(row) for row in _rows(output.get("behind")))  # of `garrison outdated`
    for row in _rows(output):  # of `garrison check` and `garrison ci lint`
        place = ":".join(str(row[key]) for key in ("file", "path") if row.get(key))
        yield f"{row.get('rule', 'finding')}: {row.get('message', '')} ({place}); {row.get('remedy', '')}"


def _scanned(row: Mapping[str, Any]) -> str:
    versions = f" {row['installed']} (fixed in {row.get('fixed') or 'none yet'})" if row.get("installed") else ""
    place = f"{row.get('where')}{versions} in {row.get('target')}"
    return f"{row.get('kind')} {row.get('id')}: {place}; {row.get('title', '')}"


def _behind(row: Mapping[str, Any]) -> str:
    fixed = row.get("fixing") or row.get("newest")
    return f"{row.get('name')} {row.get('current')} is fixed in {fixed} ({row.get('file')})"


def _rows(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (row for row in (value if isinstance(value, list) else ()) if isinstance(row, Mapping))


def _last(report: Report, what: str) -> str:
    words = [line.strip() for line in report.lines if line.strip()]
    return f"{what}: {words[-1]}" if words else what
