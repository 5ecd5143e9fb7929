"""What every check of Garrison says of what it found: how much it weighs."""

from __future__ import annotations

import enum


class Severity(enum.IntEnum):
    """How much a finding weighs; `--fail-on` compares."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4
