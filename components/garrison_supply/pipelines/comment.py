"""`garrison ci comment`: the comment on a change, made from the report of its preview.

`python3 -m garrison_supply.pipelines.comment` runs it in the one job that may write comments. It uses nothing but the
standard library, so that job installs nothing; and the report was made by the code of the change, so it is data:
checked, and shown inside of code fences, where no text is a link, a picture or a mention.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from garrison_supply.pipelines import report
from garrison_supply.pipelines.errors import PipelineError

MARK: Final = "<!-- garrison preview -->"  # by which the next run finds its comment again
MAX_CHARACTERS: Final = 60_000  # GitHub takes 65,536, GitLab a million
MAX_WORDS: Final = 200  # lines of meaning; the objects below them need room, too
MAX_LINE: Final = 2_000
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}\Z")
_CHANGES = ("create", "update", "delete")
_CONTROL = re.compile(r"[^\S\n\t ]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


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
    found = report.read(reports, "preview/changes")
    if commit not in ("", found.commit):
        raise PipelineError(f"preview/changes: is about commit {found.commit[:12]}, not {commit[:12]}")
    if found.exit != 0:
        raise PipelineError("preview/changes: could not be made; its own job says why")
    return markdown(found.commit, rows(found.output), words(found.output))


def rows(output: Any) -> list[Mapping[str, str]]:
    """The changes in a report; PipelineError for anything that is not exactly one."""
    changes = output.get("changes") if isinstance(output, Mapping) else None
    if not isinstance(changes, list):
        raise PipelineError("preview/changes: lists no changes; run ci/steps/preview")
    for number, row in enumerate(changes):
        if not (isinstance(row, Mapping) and _is_change(row)):
            raise PipelineError(f"preview/changes: change {number} is none; nothing is posted")
    return changes


def words(output: Any) -> list[str]:
    """What the change means, a line each; PipelineError for anything else."""
    said = output.get("words", []) if isinstance(output, Mapping) else None
    if not isinstance(said, list) or not all(isinstance(line, str) and len(line) <= MAX_LINE for line in said):
        raise PipelineError("preview/changes: its words are none; nothing is posted")
    return said


def _is_change(row: Mapping[str, Any]) -> bool:
    words = [row.get("kind"), row.get("name"), *filter(None, [row.get("namespace")])]
    named = all(isinstance(word, str) and _WORD.match(word) for word in words)
    return named and row.get("change") in _CHANGES and isinstance(row.get("diff"), str)


def markdown(commit: str, changes: list[Mapping[str, str]], said: Sequence[str] = ()) -> str:
    """The comment: what it means, counts, then each object folded away; what does not fit is counted."""
    counts = Counter(row["change"] for row in changes)
    total = ", ".join(f"{counts[change]} to {change}" for change in _CHANGES if counts[change]) or "nothing changes"
    shown = [*said[:MAX_WORDS]] + ([f"… and {len(said) - MAX_WORDS} more lines"] if len(said) > MAX_WORDS else [])
    meaning = f"{_fenced(chr(10).join(shown))}\n\n" if shown else ""
    parts = [f"{MARK}\n### Preview of {commit[:12]}\n\n{meaning}{total}\n"]
    for number, part in enumerate(_folded(changes)):
        if sum(map(len, parts)) + len(part) > MAX_CHARACTERS:
            parts.append(f"\n… and {len(changes) - number} more: see the report of this run\n")
            break
        parts.append(part)
    return "".join(parts)


def _folded(changes: list[Mapping[str, str]]) -> Iterator[str]:
    for row in changes:
        place = f"{row['namespace']}/" if row.get("namespace") else ""
        title = f"<code>{row['change']} {row['kind']} {place}{row['name']}</code>"
        yield f"\n<details><summary>{title}</summary>\n\n{_fenced(row['diff'])}\n\n</details>\n"


def _fenced(data: str) -> str:
    """A text in a fence of its own, in which nothing is a link, a picture or a mention."""
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", data)
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)  # longer than any run inside, so that nothing inside ends it
    return f"{fence}diff\n{text}\n{fence}"


if __name__ == "__main__":
    sys.exit(main())
