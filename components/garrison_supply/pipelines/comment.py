"""`garrison ci comment`: the comment on a change: what it means, the findings, the scan, and its cost in objects.

`python3 -m garrison_supply.pipelines.comment` runs it in the one job that may write comments. It uses nothing but the
standard library, so that job installs nothing; and the reports were made by the code of the change, so they are data:
checked, and shown inside of code fences, where no text is a link, a picture or a mention.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from garrison_supply.pipelines import cost, report
from garrison_supply.pipelines.errors import PipelineError
from garrison_supply.pipelines.markdown import listed, section
from garrison_supply.pipelines.report import Report
from garrison_supply.pipelines.why import findings, reasons

MARK: Final = "<!-- garrison preview -->"  # by which the next run finds its comment again
MAX_CHARACTERS: Final = 60_000  # GitHub takes 65,536, GitLab a million
LINES: Final = 59  # what somebody reads to the end; more only where the words of a change are more
MAX_WORDS: Final = 200  # lines of meaning
MAX_LINE: Final = 2_000
MAX_FOUND: Final = 8  # findings; the gate shows the next, the report has them all
FINDINGS: Final = ("policy/manifests", "policy/files")
SCANS: Final = ("scan/images", "scan/sources", "opinion/security")
OPTIONAL: Final = frozenset({"policy/files"})  # of files that not every repository has


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("reports", type=Path, nargs="?", default=report.folder(), help="default: %(default)s")
    parser.add_argument("--commit", default="", help="the commit that the preview must be about")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the comment."""
    print(comment(options.reports, options.commit), end="")
    return 0


def main() -> int:
    """Print the comment; 2 when the report is not what it should be."""
    parser = argparse.ArgumentParser(prog="python3 -m garrison_supply.pipelines.comment", description=__doc__)
    add_arguments(parser)
    try:
        return run(parser.parse_args())
    except PipelineError as error:
        print(f"comment: {error}", file=sys.stderr)
        return 2


def comment(reports: Path, commit: str = "") -> str:
    """The comment for the preview in `reports`, which must be about `commit` when one is given."""
    preview = report.read(reports, "preview/changes")
    if commit not in ("", preview.commit):
        raise PipelineError(f"preview/changes: is about commit {preview.commit[:12]}, not {commit[:12]}")
    if preview.exit != 0:
        raise PipelineError("preview/changes: could not be made; its own job says why")
    told = [line for name in FINDINGS for line in state(reports, name, preview.commit)]
    scanned = [line for name in SCANS for line in state(reports, name, preview.commit)]
    return markdown(preview, told, scanned)


def markdown(preview: Report, told: Sequence[str], scanned: Sequence[str]) -> str:
    """In this order: what it means, the findings, the scan, the objects; the differences where they still fit."""
    rows = cost.rows(preview.output)
    said = words(preview.output) or ["nobody may do more or less than before"]
    parts = [
        f"{MARK}\n### Preview of {preview.commit[:12]}\n",
        section("What changes", listed(said, MAX_WORDS, width=MAX_LINE)),
        section("Findings", listed(told, len(told))),
        section("Scan", listed(scanned, len(scanned))),
        section("Cost in objects", cost.summary(rows, preview.output)),
    ]
    return _fitting("".join(parts), rows)


def _fitting(text: str, rows: Sequence[Mapping[str, str]]) -> str:
    """With each difference folded away, as far as the lines and the characters of a comment go."""
    left = 0
    for part in map(cost.folded, rows):
        longer = text + part
        fits = longer.count("\n") + 2 <= LINES and len(longer) <= MAX_CHARACTERS
        text, left = (longer, left) if fits else (text, left + 1)
    return text + (f"\nDifferences only in the report preview/changes: {left}\n" if left else "")


def state(reports: Path, name: str, commit: str) -> list[str]:
    """What a check said, in lines: its result, then what it found; or that there is no report of this commit."""
    try:
        found = report.read(reports, name)
    except PipelineError as error:
        gone = not report.path(reports, name).exists()
        return [] if gone and name in OPTIONAL else [f"- {name}: no report yet" if gone else f"- {error}"]
    if found.commit != commit:
        return [f"- {name}: its report is about commit {found.commit[:12]}"]
    why = [f"  {line}" for line in (reasons(found) if found.exit else findings(found))]
    more = [f"  … and {len(why) - MAX_FOUND} more"] if len(why) > MAX_FOUND else []
    result = "passed" if found.exit == 0 else "refused" if found.exit == 1 else "could not be done"
    below = f", with {len(why)} below its threshold" if found.exit == 0 and why else ""
    return [f"{'-' if found.exit else '+'} {name}: {result}{below}", *why[:MAX_FOUND], *more]


def words(output: object) -> list[str]:
    """What the change means, a line each; PipelineError for anything else."""
    said = output.get("words", []) if isinstance(output, Mapping) else None
    if not isinstance(said, list) or not all(isinstance(line, str) and len(line) <= MAX_LINE for line in said):
        raise PipelineError("preview/changes: its words are none; nothing is posted")
    return said


if __name__ == "__main__":
    sys.exit(main())
