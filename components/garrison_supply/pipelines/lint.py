"""`garrison ci lint`: rules against files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from garrison.findings import Finding, Severity, count, ordered, tally
from garrison.report import FORMATS, Report, show
from garrison_supply.pipelines import load
from garrison_supply.pipelines.errors import PipelineError, UnreadableError
from garrison_supply.pipelines.rule import judge
from garrison_supply.pipelines.rules import RULES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="files or folders (default: the usual places)"
    )
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: %(default)s")
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
    paths = options.paths or load.default_paths()
    names = list(load.files(paths))
    if not names:
        raise PipelineError(f"{', '.join(map(str, paths))}: holds no .yml or .yaml file; nothing would be checked")
    findings, unread = lint(names, frozenset(map(str.lower, options.trust)))
    summary = f"{tally(findings)} in {count(len(names), 'file')}"
    show(Report(name="lint", findings=findings, summary=summary), options.format, rules=RULES)
    return 2 if unread else 1 if findings else 0


def lint(files: Sequence[Path], trusted: frozenset[str] = frozenset()) -> tuple[list[Finding], int]:
    """All findings in the files, and how many files could not be read (each is a finding too)."""
    findings: list[Finding] = []
    unread = 0
    for path in files:
        try:
            findings += judge(RULES, load.load(path, trusted))
        except UnreadableError as error:
            unread += 1
            findings.append(_unreadable(error))
    return list(ordered(findings)), unread


def _unreadable(error: UnreadableError) -> Finding:
    return Finding(
        rule="unreadable-workflow",
        severity=Severity.HIGH,
        file=error.file,
        line=1,
        message=error.why,
        remedy="repair it, or leave it out of the paths",
    )


def catalogue() -> str:
    """All rules: id, severity, requirement, references."""
    width = max(len(rule.id) for rule in RULES)
    return "\n".join(
        f"{rule.id:{width}}  {rule.severity!s:8}  {rule.title} [{'; '.join(rule.references)}]" for rule in RULES
    )
