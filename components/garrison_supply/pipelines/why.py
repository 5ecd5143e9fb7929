"""Why a report speaks against: the findings of Garrison's own checks, the last words of all others.

Which check it was, its output says itself (`"report": "scan"`); nothing is concluded from its shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

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


def findings(report: Report) -> Iterator[str]:
    """What one of Garrison's own checks lists, failing or not."""
    yield from _findings(report.output)


def _contradiction(output: Any) -> Iterator[str]:
    """A pass that does not fit what it lists. `garrison check` may list what is below its threshold."""
    clean = _named(output) != "scan" or output.get("clean") is True
    if not clean or (_named(output) != "check" and any(_findings(output))):
        yield "says that it passed, and lists what failed; run the step again"


def _named(output: Any) -> str:
    """What a report of Garrison says that it is; empty for the output of anything else."""
    return str(output.get("report", "")) if isinstance(output, Mapping) else ""


def _findings(output: Any) -> Iterator[str]:
    read = _READERS.get(_named(output))
    if read is not None:
        yield from read(output)


def _judged(output: Mapping[str, Any]) -> Iterator[str]:
    for row in _rows(output.get("findings")):
        place = ":".join(str(row[key]) for key in ("file", "line", "path") if row.get(key))
        yield f"{row.get('rule', 'finding')}: {row.get('message', '')} ({place}); {row.get('remedy', '')}"


def _scan(output: Mapping[str, Any]) -> Iterator[str]:
    yield from (_scanned(row) for row in _rows(output.get("failing")))
    yield from (f"an ignore has expired: {text}" for text in _list(output.get("expired")))


def _outdated(output: Mapping[str, Any]) -> Iterator[str]:
    yield from (_behind(row) for row in _rows(output.get("behind")))


def _probed(output: Mapping[str, Any]) -> Iterator[str]:
    summary = output.get("summary")
    for key in ("deviations", "not_run"):
        yield from (str(line) for line in _list(summary.get(key) if isinstance(summary, Mapping) else None))


def _scanned(row: Mapping[str, Any]) -> str:
    versions = f" {row['installed']} (fixed in {row.get('fixed') or 'none yet'})" if row.get("installed") else ""
    place = f"{row.get('where')}{versions} in {row.get('target')}"
    return f"{row.get('kind')} {row.get('id')}: {place}; {row.get('title', '')}"


def _behind(row: Mapping[str, Any]) -> str:
    fixed = row.get("fixing") or row.get("newest")
    return f"{row.get('name')} {row.get('current')} is fixed in {fixed} ({row.get('file')})"


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]]] = {
    "check": _judged,
    "lint": _judged,
    "scan": _scan,
    "outdated": _outdated,
    "prove": _probed,
    "drill": _probed,
}


def _rows(value: Any) -> Iterator[Mapping[str, Any]]:
    yield from (row for row in _list(value) if isinstance(row, Mapping))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _last(report: Report, what: str) -> str:
    words = [line.strip() for line in report.lines if line.strip()]
    return f"{what}: {words[-1]}" if words else what
