"""A clone with nothing beside it is whole: every test is found from the tracked files alone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import conftest

REPO = Path(__file__).parents[2]


def copied(target: Path) -> Path:
    """The tracked files, as a clone would hold them, in a folder with no neighbours."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (REPO / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / name, target / name)
    return target


def test_every_test_is_collected_from_the_tracked_files_alone(tmp_path: Path) -> None:
    checkout = copied(tmp_path / "alone" / "checkout")
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only"],
        cwd=checkout,
        env=outside,
        capture_output=True,
        text=True,
    )
    found = [line for line in done.stdout.splitlines() if line.startswith("tests/") and "::" in line]
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert len(found) > 2000
    assert conftest.shared_line(0, here=False) in done.stdout


def test_what_the_workspace_added_is_said() -> None:
    assert conftest.shared_line(171, here=True) == "shared corpora: 171 cases ran"
    assert conftest.shared_line(0, here=True) == "shared corpora: here, none of their cases ran"
    assert conftest.shared_line(0, here=False) == "shared corpora: not here, nothing added"
