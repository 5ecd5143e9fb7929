"""The command `garrison exceptions`: every exception, who answers for it and how long it still holds."""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Sequence
from pathlib import Path

from garrison.report.table import columns
from garrison_policies.exceptions.file import DEFAULT_FILE, PolicyException, load_exceptions

DESCRIPTION = "List every exception, who answers for it and how long it still holds."


def main(arguments: Sequence[str]) -> int:
    """Run `garrison exceptions`; returns 0, 1 where one has expired, 2 where the file cannot be honoured."""
    options = parser().parse_args(arguments)
    if options.exceptions is None and not DEFAULT_FILE.exists():
        print("[]" if options.format == "json" else f"no exceptions: there is no {DEFAULT_FILE}")
        return 0
    found = load_exceptions(options.exceptions or DEFAULT_FILE)
    today = datetime.datetime.now(tz=datetime.UTC).date()
    rows = sorted(found, key=lambda one: (one.expires, str(one)))
    print(_json(rows, today) if options.format == "json" else _table(rows, today), end="")
    return int(any(one.days_left(today) < 0 for one in rows))


def parser() -> argparse.ArgumentParser:
    """Its options."""
    made = argparse.ArgumentParser(prog="garrison exceptions", description=DESCRIPTION)
    made.add_argument("--exceptions", type=Path, metavar="FILE", help=f"default: {DEFAULT_FILE}, where there is one")
    made.add_argument("--format", choices=("table", "json"), default="table", help="default: %(default)s")
    return made


def _table(rows: Sequence[PolicyException], today: datetime.date) -> str:
    return (
        columns([(_left(one, today), one.rule, one.object, one.owner, one.reason) for one in rows]) or "no exceptions\n"
    )


def _left(one: PolicyException, today: datetime.date) -> str:
    days = one.days_left(today)
    return f"{days} days" if days >= 0 else f"EXPIRED {-days} days ago"


def _json(rows: Sequence[PolicyException], today: datetime.date) -> str:
    entries = [
        {
            "rule": one.rule,
            "object": {"kind": one.kind, "namespace": one.namespace, "name": one.name},
            "owner": one.owner,
            "reason": one.reason,
            "expires": str(one.expires),
            "daysLeft": one.days_left(today),
        }
        for one in rows
    ]
    return json.dumps(entries, indent=2) + "\n"
