"""Says what the harness keeps on this machine beyond its clusters, and removes it when told to.

Only what stands in the table is touched: a cache folder somebody pointed elsewhere keeps everything else in it. Each
folder is renamed before it is emptied, so what an interruption leaves is never mistaken for something whole.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from harness import engine, lock, paths, shell
from harness.environment import MAIN, TEST
from harness.errors import HarnessError
from harness.progress import say

# Inside the cache: name and what it is for. The environment this runs in goes last.
HELD = {
    "parts": "the toolchain",
    "go": "Go's caches of a build that has not ended",
    "images": "images, their layers and bills of materials",
    "downloads": "Debian packages and wheels",
    "apt": "lists of Debian packages",
    "apt-signed": "lists of Debian packages, of Debian's own archives only",
    "signatures": "signatures of the images",
    "bin": "links for PATH",
    "venv": "the Python environment",
}
_AWAY = ".removed-"
_OURS = ["--filter=reference=garrison.local/node*", "--filter=reference=garrison.example/provider"]
_NODES = ["docker", "image", "ls", *_OURS, "--format={{.Repository}}:{{.Tag}}"]


def clean(*, remove: bool) -> int:
    """Print the table of what is held; remove it all if told to."""
    with lock.held(paths.state() / "up.lock"):
        held = {name: size(paths.cache() / name) for name in found()}
        nodes = shell.run(_NODES, what="listing node images").split() if engine.running() else []
        for name, amount in held.items():
            print(f"{amount / 1e9:6.2f} GB  {paths.cache() / name}  {HELD.get(name, 'left by an interrupted removal')}")
        for node in nodes:
            print(f"           {node}  an image in Docker's store")
        print(f"{sum(held.values()) / 1e9:6.2f} GB  in all, made again by the next `make up`")
        if not remove:
            say("nothing was removed: `make clean ARGS=--yes` does it")
            return 0
        _remove(list(held), nodes)
    return 0


def found() -> list[str]:
    """What is there of the table, and what an interrupted removal left."""
    left = sorted(path.name for path in paths.cache().glob(f"{_AWAY}*"))
    return [*left, *(name for name in HELD if (paths.cache() / name).exists())]


def size(folder: Path) -> int:
    """The bytes in a folder, as the disk counts them."""
    files = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return sum(file.lstat().st_blocks * 512 for file in files)


def _remove(names: list[str], nodes: list[str]) -> None:
    # A cluster's commands, keys and images come from here.
    if up := [name for name in (MAIN, TEST) if (paths.state() / name / "cluster.json").exists()]:
        raise HarnessError(f"{' and '.join(up)} is there and uses the cache: `make down` first")
    for node in nodes:
        shell.succeeds(["docker", "image", "rm", node])
    for name in names:
        place = paths.cache() / name
        away = place if name.startswith(_AWAY) else place.with_name(f"{_AWAY}{name}")
        shutil.rmtree(away, ignore_errors=away != place)
        if away != place:
            place.rename(away)
            shutil.rmtree(away)
        say(f"removed {place}")
