"""Order and company: what takes longest begins first, and what shares a cluster or a server stays together.

`make test` runs three workers on two cores. One has the cluster, which mostly waits, and takes as long as the whole;
one begins with what can share it, one with the clusters of their own; these two take the rest, file by file. In one
process (pytest called by hand) the order is the same.
"""

from __future__ import annotations

import signal
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.database import InMemoryExampleDatabase
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from cluster import company
from policies.shared import CORPORA
from underway import Underway

# Before any test module is read, whoever reads it first: without a database in the checkout, and without a clock.
settings.register_profile("garrison", database=InMemoryExampleDatabase(), deadline=None, max_examples=40)
settings.load_profile("garrison")
# What a shell starts in the background ignores Ctrl-C, and so does all that it starts; some tests interrupt programs.
signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED = (
    "tests/policies/test_shared.py::test_the_verdict",
    "tests/policies/test_field_cases.py::test_the_verdict",
    "tests/unit/pipelines/test_field_cases.py::",
    "tests/examples/test_upstream.py::",
    "tests/unit/imported/test_measure.py::test_an_import_finds",
)
RINGS = ("cluster", "plugin", "servers", "engine", "images", "policies", "contract", "examples", "golden", "unit")


class Together(LoadScopeScheduling):  # type: ignore[misc] # xdist comes without types
    """A worker gets a whole file, or all files of one company."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return company.worker(Path(file).name) if file.startswith("tests/cluster/") else file


@pytest.hookimpl(trylast=True)  # the reporter is there by then
def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    reporter: pytest.TerminalReporter = config.pluginmanager.getplugin("terminalreporter")

    def say(line: str) -> None:
        reporter.ensure_newline()
        reporter.write_line(line)
        reporter.flush()

    config.pluginmanager.register(Underway(say))


@pytest.hookimpl(optionalhook=True)  # there is no such hook with -p no:xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    items.sort(key=lambda item: _place(item.path.relative_to(here)))


def _place(file: Path) -> tuple[int, int]:
    ring = file.parts[0]
    return RINGS.index(ring), company.place(file.name) if ring == "cluster" else 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What stands beside the checkout is never needed; whether it was there is said, lest somebody believes it ran."""
    stats = (report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ()))
    ran = sum(report.nodeid.startswith(SHARED) for report in stats)
    terminalreporter.write_line(shared_line(ran, here=CORPORA.is_dir()))
    every = [report for reports in terminalreporter.stats.values() for report in reports]
    timed = [(report.nodeid, report.duration) for report in every if isinstance(report, pytest.TestReport)]
    terminalreporter.write_line(f"seconds by file: {slowest(timed)}")


def slowest(timed: Iterable[tuple[str, float]], most: int = 15) -> str:
    """The files that took longest, with what their fixtures took."""
    spent = defaultdict[str, float](float)
    for test, seconds in timed:
        spent[test.partition("::")[0].removeprefix("tests/")] += seconds
    return ", ".join(f"{file} {spent[file]:.0f}" for file in sorted(spent, key=spent.__getitem__, reverse=True)[:most])


def shared_line(ran: int, *, here: bool) -> str:
    """One line about the cases of the workspace."""
    if not here:
        return "shared corpora: not here, nothing added"
    return f"shared corpora: {ran} cases ran" if ran else "shared corpora: here, none of their cases ran"
