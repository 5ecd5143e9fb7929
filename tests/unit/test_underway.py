"""A run of tests says at once what failed, and now and then what has been running for long."""

from __future__ import annotations

import pytest

from underway import LONG, Underway


def report(outcome: str, longrepr: str | None = None) -> pytest.TestReport:
    place = ("tests/x.py", 1, "test_x")
    return pytest.TestReport("tests/x.py::test_x", place, {}, outcome, longrepr, "setup")  # type: ignore[arg-type] # any of its literals


def test_what_takes_long_is_named_the_longest_first_and_no_more_when_it_is_over() -> None:
    now = [0.0]
    underway = Underway(lambda _: None, lambda: now[0])
    for test in ("tests/x.py::test_slow", "tests/x.py::test_over", "tests/x.py::test_later"):
        underway.pytest_runtest_logstart(test)
        now[0] += 1
    underway.pytest_runtest_logfinish("tests/x.py::test_over")
    assert underway.long() == ""
    now[0] = LONG + 1
    assert underway.long() == "tests/x.py::test_slow (2:01)"
    now[0] = LONG + 5
    assert underway.long() == "tests/x.py::test_slow (2:05), tests/x.py::test_later (2:03)"


def test_a_failure_is_told_when_it_happens_in_one_line() -> None:
    said = list[str]()
    underway = Underway(said.append)
    for one in (report("passed"), report("skipped"), report("failed", "no cluster\nand a long story")):
        underway.pytest_runtest_logreport(one)
    assert said == ["FAILED in setup: tests/x.py::test_x: no cluster"]
