"""Markdown of what others wrote: cleaned, cut, and shown inside of code fences, where it is nothing but text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

WIDTH: Final = 300  # characters of a line of a list; a report has the rest
_CONTROL = re.compile(r"[^\S\n\t ]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def fenced(data: str) -> str:
    """A text in a fence of its own, in which nothing is a link, a picture or a mention."""
    text = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", data)
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)  # longer than any run inside, so that nothing inside ends it
    return f"{fence}diff\n{text}\n{fence}"


def listed(lines: Sequence[str], most: int, *, width: int = WIDTH) -> str:
    """A list in a fence: each a single line, `most` of them, and how many more there are."""
    shown = [line.replace("\n", " ").rstrip() for line in lines[:most]]
    cut = [line if len(line) <= width else f"{line[:width]}…" for line in shown]
    return fenced("\n".join([*cut, *([f"… and {len(lines) - most} more lines"] if len(lines) > most else [])]))


def section(title: str, body: str) -> str:
    """One of the parts of a comment."""
    return f"\n**{title}**\n\n{body}\n"
