"""What a run of tests is at: a failure is told when it happens, and what takes long while it lasts, each by its name.

A run that is ended from outside, because a machine's time is up, has then said where it stood.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from harness.progress import clock

LONG, EVERY = 120.0, 60.0  # seconds: what takes longer is named, so often


class Underway:
    """The tests that run just now; registered with pytest where the run is told, not in xdist's workers."""

    def __init__(self, say: Callable[[str], None], now: Callable[[], float] = time.monotonic) -> None:
        self._say, self._now = say, now
        self._since = dict[str, float]()
        self._over = threading.Event()

    def pytest_sessionstart(self) -> None:
        threading.Thread(target=self._tell, daemon=True, name="underway").start()

    def pytest_sessionfinish(self) -> None:
        self._over.set()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._since[nodeid] = self._now()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._since.pop(nodeid, None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            why = str(crash.message if crash else report.longreprtext).strip()
            self._say(f"FAILED in {report.when}: {report.nodeid}: {why.partition(chr(10))[0]}")

    def long(self) -> str:
        """What has been running for long, the longest first; empty where nothing has."""
        spent = {test: self._now() - since for test, since in self._since.copy().items()}
        named = sorted((test for test in spent if spent[test] >= LONG), key=spent.__getitem__, reverse=True)
        return ", ".join(f"{test} ({clock(spent[test])})" for test in named)

    def _tell(self) -> None:
        while not self._over.wait(EVERY):
            if long := self.long():
                self._say(f"running: {long}")
