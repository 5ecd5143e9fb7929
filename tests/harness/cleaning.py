"""Says what the harness keeps on this machine beyond its clusters, and removes it when told to.

Only what stands in the table is touched: a cache folder somebody pointed elsewhere keeps everything else in it. Each
folder is renamed before it is emptied, so what an interruption leaves is never mistaken for something whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from harness import bootstrap, engine, lock, paths, shell
from harness.environment import MAIN, TEST
from harness.errors import HarnessError
from harness.parts import PARTS, toolchain_key
from harness.progress import say

# Inside the cache: pattern and what it is for. The environment this runs in goes last.
HELD = {
    "parts": "the toolchain",
    "go": "Go's caches of a build that has not ended",
    "images": "images, their layers and bills of materials",
    "downloads": "Debian packages and wheels",
    "apt*": "lists of Debian packages",
    "browser-fonts*": "what the browser of the tests notes of its fonts",
    "sslyze-*": "a scanner of TLS, for the tests",
    "signatures": "signatures of the images",
    "bin": "links for PATH",
    "venv": "the Python environment",
}
_AWAY = ".removed-"
_OURS = ["--filter=reference=garrison.local/node*", "--filter=reference=garrison.example/provider"]
_NODES = ["docker", "image", "ls", *_OURS, "--format={{.Repository}}:{{.Tag}} {{.Size}}"]


def clean(*, remove: bool, old: bool = False) -> int:
    """Print what is held, or what is `old` in it, and how much each is; remove that if told to."""
    with lock.held(paths.state() / "up.lock"):
        held = superseded() if old else found()
        nodes = [] if old or not engine.running() else shell.run(_NODES, what="listing node images").splitlines()
        total = _listed(held, nodes)
        print(f"{_gb(total)}  in all" + ("" if old else ", made again by the next `make up`"))
        if remove:
            _remove(list(held), [node.partition(" ")[0] for node in nodes], old=old)
            beside = f", and {len(nodes)} image(s) of Docker's" if nodes else ""
            say(f"freed {_gb(total).strip()} in {paths.cache()}{beside}")
        else:
            arguments = '"--old --yes"' if old else "--yes"
            say(f"nothing was removed: `make clean ARGS={arguments}` frees this")
    return 0


def _listed(held: Mapping[Path, str], nodes: Iterable[str]) -> int:
    """Print a line for each; returns the bytes of `held`."""
    sizes = {path: size(path) for path in held}
    for path, what in held.items():
        print(f"{_gb(sizes[path])}  {path}  {what}")
    for node in nodes:
        name, _, amount = node.partition(" ")
        print(f"{amount:>9}  {name}  an image in Docker's store")
    return sum(sizes.values())


def found() -> dict[Path, str]:
    """What is there of the table, and what an interrupted removal left."""
    left = dict.fromkeys(sorted(paths.cache().glob(f"{_AWAY}*")), "left by an interrupted removal")
    return left | {path: what for pattern, what in HELD.items() for path in sorted(paths.cache().glob(pattern))}


def superseded() -> dict[Path, str]:
    """What this checkout no longer uses: parts of other rows, older images, environments of other locks.

    Another checkout may: it makes what it misses again.
    """
    newest: dict[str, Path] = {}
    images = sorted((paths.cache() / "images").glob("*-*"), key=lambda path: path.stat().st_mtime)
    newest.update({path.name.rpartition("-")[0]: path for path in images})
    kept = {*newest.values(), *(row.folder for row in PARTS), paths.cache() / "bin" / toolchain_key()}
    kept.add(bootstrap.folder())
    others = [path for name in ("parts", "bin", "venv") for path in sorted((paths.cache() / name).glob("*-*"))]
    others += [path for name in ("bin", "venv") for path in sorted((paths.cache() / name).glob("*")) if path.is_dir()]
    return {path: "of before" for path in [*images, *dict.fromkeys(others)] if path not in kept}


def size(place: Path) -> int:
    """The bytes of a folder or a file, as the disk counts them."""
    if not place.is_dir() or place.is_symlink():
        return place.lstat().st_blocks * 512
    files = (Path(folder, name) for folder, _, names in os.walk(place) for name in names)
    return sum(file.lstat().st_blocks * 512 for file in files)


def _gb(amount: int) -> str:
    return f"{amount / 1e9:6.2f} GB"


def _remove(held: list[Path], nodes: list[str], *, old: bool) -> None:
    # A cluster's commands, keys and images come from here; none of them are old.
    up = [name for name in (MAIN, TEST) if (paths.state() / name / "cluster.json").exists()]
    if up and not old:
        raise HarnessError(f"{' and '.join(up)} is there and uses the cache: `make down` first")
    for node in nodes:
        shell.succeeds(["docker", "image", "rm", node])
    for place in held:
        away = place if place.name.startswith(_AWAY) else paths.cache() / f"{_AWAY}{place.name}"
        if away != place:
            _erase(away)
            place.rename(away)
        _erase(away)
        say(f"removed {place}")


def _erase(place: Path) -> None:
    """A folder with all that is in it, or a file; an interruption ends it."""
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
