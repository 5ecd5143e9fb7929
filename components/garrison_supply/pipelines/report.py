"""The report of one check: who ran, on what, when, and with which result. Untrusted until `read` has accepted it."""

from __future__ import annotations

import datetime
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from garrison_supply.pipelines.errors import PipelineError

SCHEMA: Final = "garrison.report/1"
# Ten times the largest report seen (a scan of nine images). What is larger is not read, whatever it says.
MAX_BYTES: Final = 5_000_000
NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,40}/[a-z][a-z0-9-]{0,40}\Z")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?(?:-dirty)?\Z")


@dataclass(frozen=True, kw_only=True)
class Report:
    """One check. `name` is STEP/CHECK, the file STEP/CHECK.json below the folder of reports.

    exit: the check's exit code: 0 passed, 1 findings, anything else: it could not be done.
    output: what the check printed as JSON; None for a check that prints text.
    lines: the last lines of its text.
    """

    name: str
    commit: str
    images: Mapping[str, str]
    started: datetime.datetime
    finished: datetime.datetime
    command: list[str]
    exit: int
    output: Any
    lines: list[str]


def folder() -> Path:
    """Where reports lie: $REPORTS, else build/reports."""
    return Path(os.environ.get("REPORTS") or "build/reports")


def path(reports: Path, name: str) -> Path:
    """The file of a report; its folder is the step's, so that one job's reports never stand in for another's."""
    if not NAME.match(name):
        raise PipelineError(f"{name!r} is no name of a report; write STEP/CHECK, as in scan/images")
    return reports / f"{name}.json"


def write(reports: Path, report: Report) -> None:
    """Write it whole or not at all."""
    file = path(reports, report.name)
    file.parent.mkdir(parents=True, exist_ok=True)
    said = {"schema": SCHEMA, **asdict(report)}
    said |= {key: said[key].isoformat() for key in ("started", "finished")}
    partial = file.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(said, indent=2) + "\n")
    partial.rename(file)


def read(reports: Path, name: str) -> Report:
    """The report `name`, after checking that it is one; PipelineError says why it is not."""
    file = path(reports, name)
    try:
        said = json.loads(_bytes(file))
    except FileNotFoundError:
        raise PipelineError(f"{name}: there is no report; run ci/steps/{name.partition('/')[0]}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise PipelineError(f"{name}: the report cannot be read ({error})") from None
    if not isinstance(said, dict) or said.pop("schema", None) != SCHEMA:
        raise PipelineError(f"{name}: the report is of no known schema ({SCHEMA})")
    try:
        report = _parsed(said)
    except (KeyError, TypeError, ValueError) as error:
        raise PipelineError(f"{name}: the report is not of schema {SCHEMA} ({error})") from None
    if report.name != name:
        raise PipelineError(f"{name}: the report says that it is {report.name}")
    return report


def _bytes(file: Path) -> bytes:
    """What a regular file of ordinary size holds; a link could lead anywhere."""
    status = file.lstat()
    if not stat.S_ISREG(status.st_mode) or file.parent.is_symlink():
        raise ValueError("it is no regular file")
    if status.st_size > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES:,} bytes")
    return file.read_bytes()


def _parsed(said: dict[str, Any]) -> Report:
    times = {key: datetime.datetime.fromisoformat(said[key]) for key in ("started", "finished")}
    report = Report(**(said | times))
    if not (isinstance(report.images, dict) and isinstance(report.command, list) and isinstance(report.lines, list)):
        raise TypeError("images, command or lines are not what they should be")
    texts = [report.name, report.commit, *report.images, *report.images.values(), *report.command, *report.lines]
    if not all(isinstance(text, str) for text in texts) or not _COMMIT.match(report.commit):
        raise ValueError("a field that should be text is not, or the commit is none")
    if type(report.exit) is not int or any(time.tzinfo is None for time in times.values()):
        raise ValueError("the exit code is no number, or a time has no zone")
    return report
