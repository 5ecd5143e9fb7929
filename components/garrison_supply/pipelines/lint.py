"""`garrison ci lint`: rules against files, as a table or as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from garrison.findings import Severity, printable
from garrison_supply.pipelines import load
from garrison_supply.pipelines.errors import PipelineError, UnreadableError
from garrison_supply.pipelines.rule import Finding, judge
from garrison_supply.pipelines.rules import RULES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="files or folders (default: the usual places)"
    )
    parser.add_argument("--format", choices=("table", "json"), default="table", help="default: %(default)s")
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="OWNER[/NAME]",
        help="a publisher whose pinned actions you review like your own code (may be given again)",
    )
    parser.add_argument("--list", action="store_true", help="show the rules and exit")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 clean, 1 findings, 2 something could not be checked: then nothing is known of it, which is worse."""
    if options.list:
        print(catalogue())
        return 0
    findings, unread = lint(options.paths or load.default_paths(), frozenset(map(str.lower, options.trust)))
    print(as_json(findings) if options.format == "json" else as_table(findings), end="")
    return 2 if unread else 1 if findings else 0


def lint(paths: Sequence[Path], trusted: frozenset[str] = frozenset()) -> tuple[list[Finding], int]:
    """All findings in the files of `paths`, and how many files could not be read (each is a finding too)."""
    findings: list[Finding] = []
    unread = 0
    names = list(load.files(paths))
    if not names:
        raise PipelineError(f"{', '.join(map(str, paths))}: holds no .yml or .yaml file; nothing would be checked")
    for path in names:
        try:
            findings += judge(RULES, load.load(path, trusted))
        except UnreadableError as error:
            unread += 1
            findings.append(_unreadable(error))
    return sorted(findings, key=lambda found: (found.file, found.line, found.rule)), unread


def _unreadable(error: UnreadableError) -> Finding:
    return Finding(
        rule="unreadable-workflow",
        severity=Severity.HIGH,
        file=error.file,
        line=1,
        path="",
        message=error.why,
        remedy="repair it, or leave it out of the paths",
    )


def as_json(findings: Sequence[Finding]) -> str:
    """An array with the keys of `garrison check`, and the line."""
    rows = [asdict(found) | {"severity": found.severity.name.lower()} for found in findings]
    return json.dumps(rows, indent=2) + "\n"


def as_table(findings: Sequence[Finding]) -> str:
    """One line each for people and editors, and the sum."""
    lines = [
        f"{printable(f'{f.file}:{f.line}: {f.severity.name.lower()} {f.rule}: {f.message}')}\n    {f.remedy}"
        for f in findings
    ]
    return "\n".join([*lines, f"{len(findings)} findings" if findings else "no findings"]) + "\n"


def catalogue() -> str:
    """All rules: id, severity, requirement, references."""
    width = max(len(rule.id) for rule in RULES)
    return "\n".join(
        f"{rule.id:{width}}  {rule.severity.name.lower():8}  {rule.title} [{'; '.join(rule.references)}]"
        for rule in RULES
    )
