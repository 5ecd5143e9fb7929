"""Obtains the parts: from the cache when they verify, else built or downloaded, one at a time.

A part is made in a scratch folder and renamed into place when complete, so an interrupted run
leaves nothing that could be mistaken for a part, and the next one goes on where it stopped.
"""

from __future__ import annotations

import functools
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from harness import lock, manifest, progress, sources, tools
from harness.errors import HarnessError
from harness.parts import PARTS, UP, Part, part, toolchain_key
from harness.paths import cache, parts_folder


def obtain(name: str) -> Path:
    """The folder of the part called `name`, complete and verified."""
    return obtain_all([part(name)])[0]


def binary(name: str) -> Path:
    """One executable of the toolchain, by the name of its file."""
    for row in PARTS:
        if name in row.outputs:
            return tools.installed(name) or obtain(row.name) / name
    raise HarnessError(f"no part gives {name!r}; the table is tests/harness/parts.py")


def obtain_all(rows: Iterable[Part] = PARTS) -> list[Path]:
    """Make what is missing of `rows`, in the order of the table, saying how far it is."""
    wanted = list(rows)
    missing = [row for row in wanted if not _ready(row)]
    if missing:
        with lock.held(cache() / "build.lock"):
            for scratch in parts_folder().glob(".scratch-*"):
                # Left by a run that was killed; nobody else is building, save perhaps its orphan.
                shutil.rmtree(scratch, ignore_errors=True)
            todo = [row for row in missing if not row.folder.exists()]
            for number, row in enumerate(todo, start=1):
                _make(row, number, todo)
            _drop_go_caches()
    return [row.folder for row in wanted]


def present(row: Part) -> bool:
    """Whether nothing has to be made for this part; whether it is whole is looked at when it is used."""
    return row.folder.exists() or _all_installed(row)


def _drop_go_caches() -> None:
    """Parts share packages, so the caches stay until `make up` has all its parts; one more part makes do without."""
    if all(present(row) for row in UP):
        shutil.rmtree(sources.go_folder(), ignore_errors=True)


def links() -> Path:
    """A folder of links to every tool present, for PATH."""
    folder = cache() / "bin" / toolchain_key()
    folder.mkdir(parents=True, exist_ok=True)
    for row in PARTS:
        for output in row.outputs:
            source = tools.installed(output) or row.folder / output
            link = folder / output
            if source.is_file() and not (link.is_symlink() and link.readlink() == source):
                link.unlink(missing_ok=True)
                link.symlink_to(source)
    return folder


def state_of(row: Part) -> str:
    """One word for people: installed, ready, missing, or what is wrong."""
    if _all_installed(row):
        return "installed"
    if not row.folder.exists():
        return "missing"
    return manifest.problem(row.folder) or "ready"


@functools.cache
def _verified(folder: Path) -> bool:
    problem = manifest.problem(folder)
    if problem:
        progress.say(f"{folder.name}: {problem}; making it again")
        shutil.rmtree(folder)
    return not problem


def _ready(row: Part) -> bool:
    return _all_installed(row) or (row.folder.exists() and _verified(row.folder))


def _all_installed(row: Part) -> bool:
    return all(tools.installed(output) for output in row.outputs)


def _make(row: Part, number: int, todo: list[Part]) -> None:
    times = progress.measured()
    expected = progress.estimate(row, times)
    left = progress.clock(progress.remaining(todo[number - 1 :], times))
    progress.say(
        f"[{number}/{len(todo)}] {row.name} {row.version} from {row.source.origin}: "
        f"about {progress.clock(expected)}; {left} left in all"
    )
    scratch = parts_folder() / f".scratch-{row.name}-{os.getpid()}"
    out = scratch / "out"
    out.mkdir(parents=True)
    ticker = progress.Ticker(row.name, expected)
    sources.make(row, scratch, out, ticker)
    if lacking := [name for name in row.outputs if not (out / name).exists()]:
        raise HarnessError(f"{row.name} {row.version} gave no {lacking[0]}; check its row in parts.py")
    manifest.write(out)
    out.rename(row.folder)
    shutil.rmtree(scratch)
    progress.record(row.name, ticker.spent)
    progress.say(f"      {row.name} ready after {progress.clock(ticker.spent)}")
