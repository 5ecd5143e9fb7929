"""What a change costs in objects: how many are made, altered and removed, which, and how each differs.

The rows come from a report that the change's own code has made: they are checked before anything is shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from garrison_supply.pipelines.errors import PipelineError
from garrison_supply.pipelines.markdown import fenced, listed

MAX_OBJECTS: Final = 12  # named; all are counted
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}\Z")
_CHANGES = ("create", "update", "delete")
Rows = Sequence[Mapping[str, str]]


def rows(output: Any) -> list[Mapping[str, str]]:
    """The changes in a report; PipelineError for anything that is not exactly one."""
    changes = output.get("changes") if isinstance(output, Mapping) else None
    if not isinstance(changes, list):
        raise PipelineError("preview/changes: lists no changes; run ci/steps/preview")
    for number, row in enumerate(changes):
        if not (isinstance(row, Mapping) and _is_change(row)):
            raise PipelineError(f"preview/changes: change {number} is none; nothing is posted")
    return changes


def _is_change(row: Mapping[str, Any]) -> bool:
    words = [row.get("kind"), row.get("name"), *filter(None, [row.get("namespace")])]
    named = all(isinstance(word, str) and _WORD.match(word) for word in words)
    return named and row.get("change") in _CHANGES and isinstance(row.get("diff"), str)


def summary(changes: Rows, output: Any) -> str:
    """Counts in a sentence, then a line an object."""
    counts = Counter(row["change"] for row in changes)
    total = ", ".join(f"{counts[change]} to {change}" for change in _CHANGES if counts[change]) or "nothing changes"
    lines = [f"{row['change']} {_named(row)} {_size(row['diff'])}" for row in changes]
    return f"{_before_and_after(output)}{total}" + (f"\n{listed(lines, MAX_OBJECTS)}" if lines else "")


def _before_and_after(output: Any) -> str:
    """How many objects there were and will be, where the report says it."""
    found = output.get("objects") if isinstance(output, Mapping) else None
    numbers = [found.get(when) for when in ("before", "after")] if isinstance(found, Mapping) else []
    if not numbers or not all(type(number) is int for number in numbers):
        return ""
    return f"{numbers[0]} objects before, {numbers[1]} after: "


def _named(row: Mapping[str, str]) -> str:
    return f"{row['kind']} {row['namespace']}/{row['name']}" if row.get("namespace") else f"{row['kind']} {row['name']}"


def _size(diff: str) -> str:
    """How many lines come and go; the first two name what is compared."""
    counts = Counter(line[:1] for line in diff.splitlines()[2:])
    return f"+{counts['+']} -{counts['-']}"


def folded(row: Mapping[str, str]) -> str:
    """The difference of one object, folded away."""
    title = f"<code>{row['change']} {_named(row)}</code>"
    return f"\n<details><summary>{title}</summary>\n\n{fenced(row['diff'])}\n\n</details>\n"
