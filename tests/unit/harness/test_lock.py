"""The builder's lock: held by one, and no obstacle once its holder is dead."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness import lock

_HOLDER = """
import sys
from pathlib import Path
from harness.lock import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def _holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(lock.__file__).parents[1])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_lock_of_a_killed_process_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "build.lock"
    process = _holder(path)
    process.kill()
    process.communicate()
    assert str(process.pid) in path.read_text()  # its file is still there
    with lock.held(path):
        assert path.read_text() == f"process {os.getpid()}\n"


def test_who_shares_it_waits_for_nobody_who_shares_it_too(tmp_path: Path) -> None:
    path = tmp_path / "tests.lock"
    together, alone = threading.Event(), threading.Event()

    def enter(entered: threading.Event, *, shared: bool) -> None:
        with lock.held(path, shared=shared):
            entered.set()

    with lock.held(path, shared=True):
        threading.Thread(target=enter, args=(together,), kwargs={"shared": True}, daemon=True).start()
        assert together.wait(20)
        threading.Thread(target=enter, args=(alone,), kwargs={"shared": False}, daemon=True).start()
        assert not alone.wait(0.2), "the control: who wants it alone waits"
    assert alone.wait(20)


def test_a_living_holder_is_waited_for_and_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "build.lock"
    process = _holder(path)
    entered = threading.Event()

    def enter() -> None:
        with lock.held(path):
            entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not entered.wait(0.2)
    process.communicate()  # its end of input: it leaves
    waiting.join()
    assert entered.is_set()
    assert f"waiting for another run to finish: process {process.pid}" in capfd.readouterr().err
