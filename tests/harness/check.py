"""Everything that can be checked without a cluster, quickest first."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from harness import build, environment, paths
from harness.parts import CHECK
from harness.progress import clock, say

_SOURCES = ("components", "policies", "services", "stacks", "tests", "benchmarks")
_TESTS = ("tests/unit", "tests/golden", "tests/examples", "tests/contract", "tests/policies", "tests/engine")


def run() -> int:
    """Run all checks, stop at the first that fails and return its exit code."""
    build.obtain_all(CHECK)
    start = time.monotonic()
    for command in commands(paths.REPO):
        say(f"$ {' '.join(command)}")
        env = environment.full(environment.TEST)
        code = subprocess.run(_in_environment(command), cwd=paths.REPO, env=env, check=False).returncode
        if code:
            say(f"make check failed at: {' '.join(command)}")
            return code
    say(f"make check passed in {clock(time.monotonic() - start)}")
    return 0


def commands(root: Path) -> list[list[str]]:
    """The checks of this checkout; folders that do not exist are left out."""
    sources = [name for name in _SOURCES if (root / name).is_dir()]
    tests = [name for name in _TESTS if (root / name).is_dir()]
    return [
        ["ruff", "format", "--check", "."],
        ["ruff", "check", "."],
        ["mypy", *sources],
        ["lint-imports"],
        ["pytest", "-n", "2", "--no-loadscope-reorder", *tests],
    ]


def _in_environment(command: list[str]) -> list[str]:
    return [str(Path(sys.executable).parent / command[0]), *command[1:]]
