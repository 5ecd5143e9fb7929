"""What every check of Garrison says of what it found: how much it weighs."""

from __future__ import annotations

import enum


class Severity(enum.IntEnum):
    """How much a finding weighs; `--fail-on` compares."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


def printable(text: str) -> str:
    """Names come from files nobody vetted: escape what would move a terminal's cursor, forge a line or command a CI."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
