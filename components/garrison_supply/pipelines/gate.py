"""`garrison ci gate NAME`: every report of one list, and one verdict. The only place that gives one.

Reports come from jobs that ran code of others, so they are data: read strictly, compared with what is checked out
here, and where possible with each other. What is missing, stale or odd fails like a finding does.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrison.findings import printable
from garrison_supply.pipelines import report, subject
from garrison_supply.pipelines.errors import PipelineError
from garrison_supply.pipelines.report import Report
from garrison_supply.pipelines.subject import Subject
from garrison_supply.pipelines.why import reasons

SETTINGS = Path("ci/gate.toml")
SKEW = datetime.timedelta(minutes=5)  # what clocks of CI machines differ by; NTP keeps them far closer
SHOWN = 10  # reasons of one report: enough to begin with, the report has the rest


@dataclass(frozen=True, kw_only=True)
class Gate:
    """The reports that must pass, and how old they may be."""

    reports: tuple[str, ...]
    max_age: datetime.timedelta


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("gate", help="which list of reports: a name of [gates] in the settings")
    parser.add_argument("--settings", type=Path, default=SETTINGS, help="default: %(default)s")
    parser.add_argument("--lock", type=Path, default=subject.LOCK, help="the images (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print every reason against; 0 when there is none."""
    gate = load(options.settings, options.gate)
    now = datetime.datetime.now(datetime.UTC)
    against = [*judge(gate, report.folder(), subject.current(options.lock), now), *results(os.environ.get("NEEDS", ""))]
    for line in against:
        print(printable(line))
    print(
        f"gate {options.gate}: "
        + (f"closed, {len(against)} against" if against else f"open, {len(gate.reports)} reports")
    )
    return 1 if against else 0


def load(file: Path, name: str) -> Gate:
    """One gate of the settings."""
    try:
        said = tomllib.loads(file.read_text())
        hours, gates = float(said["max-age-hours"]), said["gates"]
        names = tuple(gates[name]) if name in gates else ()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise PipelineError(f"{file}: no settings of a gate ({error!r}); it has max-age-hours and [gates]") from None
    if not names or not 0 < hours <= 24 * 7:
        known = ", ".join(sorted(gates))
        raise PipelineError(f"{file}: {name} lists no reports, or max-age-hours is not in 0-168; known gates: {known}")
    return Gate(reports=names, max_age=datetime.timedelta(hours=hours))


def judge(gate: Gate, reports: Path, about: Subject, now: datetime.datetime) -> Iterator[str]:
    """Every reason against: one line each, with what to do."""
    read: dict[str, Report] = {}
    for name in gate.reports:
        try:
            read[name] = report.read(reports, name)
        except PipelineError as error:
            yield str(error)
    for found in read.values():
        for check in (_subject, _age, _result):
            yield from (f"{found.name}: {why}" for why in check(found, about, gate, now))
    yield from _agreement(read)


Against = Iterator[str]
Check = Callable[[Report, Subject, Gate, datetime.datetime], Against]


def _subject(found: Report, about: Subject, _gate: Gate, _now: datetime.datetime) -> Against:
    if found.commit != about.commit:
        yield f"is about commit {found.commit[:12]}, this is {about.commit[:12]}; run the step again"
    for name in sorted(found.images.keys() | about.images.keys()):
        there, here = found.images.get(name, "no such image"), about.images.get(name, "no such image")
        if there != here:
            yield f"is about other images: {name} was {there[-19:]}, here it is {here[-19:]}; run the step again"


def _age(found: Report, _about: Subject, gate: Gate, now: datetime.datetime) -> Against:
    age = now - found.finished
    if age > gate.max_age:
        yield f"is stale: {_hours(age)} h old, the limit is {_hours(gate.max_age)} h; run the step again"
    if age < -SKEW or found.started > found.finished:
        yield "is from the future, or ended before it began; its clock or its maker is wrong"


def _hours(time: datetime.timedelta) -> str:
    return f"{time.total_seconds() / 3600:.0f}"


def _result(found: Report, _about: Subject, _gate: Gate, _now: datetime.datetime) -> Against:
    why = list(reasons(found))
    yield from why[:SHOWN]
    if len(why) > SHOWN:
        yield f"and {len(why) - SHOWN} more"


def _seen(output: Any) -> dict[str, int]:
    """How many packages a scan saw in each target; ValueError for what says that it is something else."""
    if output["report"] != "scan":
        raise ValueError(output["report"])
    return {str(target): int(packages) for target, packages in output["targets"].items()}


def _agreement(read: Mapping[str, Report]) -> Iterator[str]:
    """A scanner that is silenced or fooled sees too little: it is held against what the build says is there."""
    scan, bills = read.get("scan/images"), read.get("build/bills")
    if scan is None or bills is None or scan.exit != 0:
        return
    try:
        seen = _seen(scan.output)
        listed = {str(bill["image"]): int(bill["packages"]) for bill in bills.output.values()}
    except (KeyError, TypeError, ValueError, AttributeError):
        yield "scan/images: its output, or that of build/bills, names no packages and targets; nothing can be compared"
        return
    for image, packages in sorted(listed.items()):
        if image not in seen:
            yield f"scan/images: did not look at {image}"
        elif seen[image] < packages:
            yield f"scan/images: saw {seen[image]} packages in {image}, its bill of materials lists {packages}"


def results(needs: str) -> Iterator[str]:
    """The jobs this one waits for, as GitHub gives them (`toJSON(needs)`); empty outside of it.

    A job whose upload was refused because somebody had taken its name has failed, though a report is there.
    """
    if not needs:
        return
    try:
        jobs: dict[str, Any] = json.loads(needs)
        rows = [(name, str(job["result"])) for name, job in jobs.items()]
    except (ValueError, AttributeError, KeyError, TypeError):
        raise PipelineError("NEEDS is not what toJSON(needs) gives; set it so in the workflow") from None
    yield from (f"job {name}: {result}" for name, result in rows if result != "success")
