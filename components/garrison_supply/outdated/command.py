"""The command `garrison outdated`: 0 nothing is behind, 1 something is, 2 a source did not answer."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from garrison.findings import ordered
from garrison.report import FORMATS, Report, show
from garrison_supply.outdated import survey
from garrison_supply.outdated.model import Behind
from garrison_supply.outdated.survey import SOURCES, Survey
from garrison_supply.scan.settings import FILE, load

# What --apply writes comes from these; when one of them is silent, nothing is written.
LOCKING = ("python", "debian")
DESCRIPTION = "Say what is behind: 0 nothing is, 1 something is, 2 a source did not answer."


def main(arguments: Sequence[str]) -> int:
    """Say what is behind; with --apply, renew the locks first and say what was done."""
    options = parser().parse_args(arguments)
    settings = load(options.settings, today=datetime.datetime.now(datetime.UTC).date())
    found = survey.ask_all(settings, os.environ, without=tuple(options.without))
    rows = [row for row in found.rows if row.fixing or not options.security]
    show(_report(rows, found), options.format)
    for row in found.held:
        print(f"held: {row.name} {row.current}, newest {row.newest} ({row.file})", file=sys.stderr)
    for name in options.without:
        print(f"{name}: not asked (--without)", file=sys.stderr)
    for name, why in found.unknown.items():
        print(f"garrison outdated: {name} is unknown: {why}", file=sys.stderr)
    if options.apply:
        return _apply(found)
    return 2 if found.unknown else int(bool(rows))


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(prog="garrison outdated", description=DESCRIPTION)
    made.add_argument("--settings", type=Path, default=FILE, help="where pins are (default: %(default)s)")
    made.add_argument("--security", action="store_true", help="only what mends a known vulnerability")
    made.add_argument("--without", action="append", choices=SOURCES, default=[], help="a source not to ask")
    made.add_argument("--apply", action="store_true", help="raise the pins and lock again: all files or none")
    made.add_argument("--format", choices=FORMATS, default="table", help="default: %(default)s")
    return made


def _apply(found: Survey) -> int:
    if silent := [name for name in LOCKING if name in found.unknown]:
        print(f"garrison outdated: nothing was written, since {' and '.join(silent)} did not answer", file=sys.stderr)
        return 2
    try:
        written = survey.write(found.files)
    except OSError as error:
        print(f"garrison outdated: {error.filename}: {error.strerror}; nothing was written", file=sys.stderr)
        return 2
    for path in written:
        print(f"written: {path}")
    by_hand = [row for row in found.rows if Path(row.file) not in found.files]
    return 2 if found.unknown else int(bool(by_hand))


def _report(rows: Sequence[Behind], found: Survey) -> Report:
    mends = sum(bool(row.fixing) for row in rows)
    known = f", {mends} of them with a known vulnerability" if mends else ""
    silent = ", of what answered" if found.unknown else ""
    return Report(
        name="outdated",
        findings=ordered(row.finding for row in rows),
        summary=f"{len(rows) or 'nothing'} {'are' if len(rows) > 1 else 'is'} behind{known}{silent}",
        fields={"behind": [asdict(row) for row in rows], "unknown": found.unknown},
    )
