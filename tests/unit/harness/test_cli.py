"""The command line: one clear line for a mistake, and an interruption that says how to go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import lock, paths

PATIENCE = 60  # seconds; each of these takes one or two
ROOTS = [str(paths.REPO / name) for name in ("components", "policies", "tests")]


def _run(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(ROOTS), **environment},
    )


def test_env_prints_where_the_file_is(tmp_path: Path) -> None:
    process = _run("-m", "harness", "env", "--cluster", "unit", GARRISON_STATE=str(tmp_path))
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert Path(out.strip()).read_text().startswith("# source this file to work with the cluster unit")


def test_an_unknown_part_is_one_line(tmp_path: Path) -> None:
    process = _run("-m", "harness", "build", "kynd", GARRISON_CACHE=str(tmp_path))
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("build: no part is called 'kynd'; known: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    with lock.held(tmp_path / "build.lock"):
        process = _run("-m", "harness", "build", "envoy", GARRISON_CACHE=str(tmp_path))
        assert process.stderr is not None
        assert "waiting for another run to finish" in process.stderr.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (130, "", "interrupted; run the same command again to go on\n")


def test_an_old_python_is_refused_in_one_line() -> None:
    old = "import sys; sys.version_info = (3, 9, 2); sys.version = '3.9.2 (old)'; from harness.bootstrap import main; "
    process = _run("-c", old + "main(['--version'])")
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, "")
    assert err == "Python 3.11 or newer is needed, python3 is 3.9.2: install it, put it first in PATH\n"


def test_the_environment_is_used_once_it_is_complete(tmp_path: Path) -> None:
    ready = (
        f"from harness import bootstrap; bootstrap.ensure = lambda: __import__('pathlib').Path({sys.executable!r}); "
    )
    process = _run("-c", ready + "bootstrap.main(['-c', 'import garrison, harness; print(harness.__name__)'])")
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "harness\n", "")
