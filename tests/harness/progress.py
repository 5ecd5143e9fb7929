"""Progress of long steps: plain lines with what runs, how far, how long it takes and what is left.

Estimates are the seconds last measured on this machine, else those of the table of parts.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from harness.parts import Part
from harness.paths import cache


def say(line: str) -> None:
    """One line of progress, at once, also through a pipe."""
    print(line, file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """Seconds as m:ss."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _times_file() -> Path:
    return cache() / "times.json"


def measured() -> dict[str, float]:
    """Seconds of the last cold build of each part here; an unreadable file counts as none."""
    with contextlib.suppress(OSError, ValueError):
        return {str(k): float(v) for k, v in json.loads(_times_file().read_text()).items()}
    return {}


def record(name: str, seconds: float) -> None:
    """Remember how long `name` took."""
    times = {**measured(), name: round(seconds, 1)}
    temporary = _times_file().with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(times, indent=1, sort_keys=True) + "\n")
    temporary.replace(_times_file())


def estimate(part: Part, times: dict[str, float]) -> float:
    """Expected seconds for one part."""
    return times.get(part.name, float(part.seconds))


def remaining(parts: Iterable[Part], times: dict[str, float]) -> float:
    """Expected seconds for all of `parts`."""
    return sum(estimate(part, times) for part in parts)


class Ticker:
    """Says now and then that a step still runs, with time spent and time expected."""

    def __init__(self, what: str, expected: float, every: float = 30.0) -> None:
        self.what, self.expected, self.every = what, expected, every
        self.start = self.last = time.monotonic()

    @property
    def spent(self) -> float:
        return time.monotonic() - self.start

    def tick(self) -> None:
        """Call as often as you like; speaks once per period."""
        if time.monotonic() - self.last >= self.every:
            self.last = time.monotonic()
            say(f"      {self.what}: {clock(self.spent)} of about {clock(self.expected)}")
