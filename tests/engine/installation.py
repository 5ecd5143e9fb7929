"""A folder like an installation of Pulumi, with our plugins in it as a wheel would put them there."""

from __future__ import annotations

import sys
from pathlib import Path

from harness import build, pulumi_home
from harness.plugin.launcher import write_launcher

REPO = Path(__file__).parents[2]
IMPORTED = ":".join(str(REPO / name) for name in ("components", "policies", "tests"))


def put(folder: Path, *names: str) -> Path:
    """The engine, its Python host and these tools."""
    write_launcher(folder, Path(sys.executable))
    for name in ("pulumi", "pulumi-language-python", *names):
        (folder / name).symlink_to(build.binary(name))
    python = "pulumi-resource-pulumi-python"
    (folder / python).symlink_to(build.obtain("pulumi") / python)
    ours = folder / "pulumi-resource-garrison"
    ours.write_text(f"#!{sys.executable}\nfrom garrison_stack.component import serve\n\nserve()\n")
    ours.chmod(0o755)
    return folder


def environment(home: Path, tools: Path) -> dict[str, str]:
    """What a shell has in which that installation is used, and nothing of this machine's own."""
    (home / "state").mkdir()
    return {
        "PATH": f"{tools}:{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": IMPORTED,
        "HOME": str(home),
        "PULUMI_BACKEND_URL": f"file://{home / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "only-for-this-test",
        "PULUMI_HOME": str(pulumi_home.made(home / "home")),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
