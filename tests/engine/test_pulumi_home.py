"""The real engine in a home of ours keeps no diary of what it says to providers, and works as in any other."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from harness import pulumi_home
from harness.build import binary


def about(home: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    env |= {"PULUMI_HOME": str(home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    command = [str(binary("pulumi")), "plugin", "ls"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_it_keeps_no_diary(tmp_path: Path) -> None:
    there = about(tmp_path / "any")
    assert there.returncode == 0
    assert any((tmp_path / "any" / "logs").iterdir()), "the control: by itself it does"
    home = pulumi_home.made(tmp_path / "ours")
    here = about(home)
    assert (here.returncode, here.stdout, here.stderr) == (0, there.stdout, "")
    assert (home / "logs").read_text() == ""


def test_one_that_was_kept_goes(tmp_path: Path) -> None:
    about(tmp_path)
    assert [one.name for one in (tmp_path / "logs").iterdir()]
    assert pulumi_home.made(pulumi_home.made(tmp_path)) == tmp_path
    assert (tmp_path / "logs").is_file()
