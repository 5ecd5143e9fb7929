"""Pulumi's own Kubernetes plugin, where this machine has it: in PATH, or where `pulumi plugin install` puts it.

The harness gives Pulumi a home for each cluster, so that its stacks and credentials stay out of the user's; a plugin of
the user's is linked into it. Any of the SDK's major version that is not older than the SDK will do.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
from importlib import metadata
from pathlib import Path

from harness.plugin import launcher
from harness.progress import say

FOLDER = "resource-kubernetes-v*"


def found(home: Path) -> Path | None:
    """The plugin itself, the user's or one put into our `home`; None where the stand-in takes its place."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        ambient = shutil.which(launcher.NAME, path=folder or os.curdir)
        if ambient and not launcher.is_stand_in(Path(ambient)):
            return Path(ambient)
    there = [path for one in (Path.home() / ".pulumi", home) for path in one.glob(f"plugins/{FOLDER}/{launcher.NAME}")]
    fitting = [path for path in there if path.exists() and not path.is_symlink() and _fits(_numbers(path.parent.name))]
    return max(fitting, key=lambda path: _numbers(path.parent.name), default=None)


def linked(home: Path) -> bool:
    """Let an engine with that home find it; False where there is none, and nothing of it stays then."""
    plugin = found(home)
    for old in (home / "plugins").glob(FOLDER):
        link = old / launcher.NAME
        if link.is_symlink() and link.readlink() != plugin:
            shutil.rmtree(old)
    if plugin is None:
        return False
    if plugin.parent.match(FOLDER) and home not in plugin.parents:
        # A folder of links: the engine passes over a folder that is itself a link.
        folder = home / "plugins" / plugin.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        for file in plugin.parent.iterdir():
            if not (folder / file.name).is_symlink():
                (folder / file.name).symlink_to(file)
    _say(plugin)
    return True


@functools.cache
def _say(plugin: Path) -> None:
    say(f"Pulumi's own Kubernetes plugin is used: {plugin}")


def _fits(version: tuple[int, ...]) -> bool:
    wanted = _numbers(metadata.version("pulumi-kubernetes"))
    return version[:1] == wanted[:1] and version >= wanted


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])
