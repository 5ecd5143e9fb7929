"""Where manifests come from: files, folders, standard input, and what Kustomize and Helm make of a folder.

A folder with a kustomization or a chart is rendered whole, by the tool it is written for: its files are not manifests,
and what is not part of the result is not deployed. Where the tool is missing the check cannot be done, and says so.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrison.errors import GarrisonError
from garrison_policies.read.documents import documents

STDIN = "-"
ENDINGS = (".yaml", ".yml", ".json")
KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
CHART = "Chart.yaml"
KUSTOMIZE = "kustomize.config.k8s.io/"
TIMEOUT = 120  # seconds for one rendering; large umbrella charts take about ten


class CheckError(GarrisonError):
    """The check could not be done: one line for each reason."""


@dataclass(frozen=True)
class Source:
    """The content of one file, under the name reports give it.

    walked: nobody named the file itself, only a folder above it.
    rendered: a tool wrote the content; its lines are not the file's.
    """

    file: str
    content: bytes
    walked: bool = False
    rendered: bool = False


def sources(path: str) -> Iterator[Source]:
    """Everything one argument of the command stands for, in a stable order; raises CheckError."""
    place = Path(path)
    if path == STDIN:
        yield Source(STDIN, sys.stdin.buffer.read())
    elif place.is_dir():
        yield from _walk(place, set())
    elif place.exists() and _renders(place):
        yield _rendered(place)
    elif place.exists():
        yield Source(shown(place), _content(place))
    else:
        raise CheckError(f"{path}: no such file or folder")


def _walk(folder: Path, seen: set[Path]) -> Iterator[Source]:
    """Folders below as well; hidden ones are other tools' own, and one that is linked to twice is read once."""
    if folder.resolve() in seen:
        return
    seen.add(folder.resolve())
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise CheckError(f"{folder}: cannot be read ({error.strerror})") from None
    whole = next(filter(_renders, entries), None)
    if whole is not None and not _is_part(whole):
        yield _rendered(whole)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if whole is None or (whole.name != CHART and _has_own(entry)):
                yield from _walk(entry, seen)
        elif whole is None and entry.suffix in ENDINGS:
            yield Source(shown(entry), _content(entry), walked=True)


def _has_own(folder: Path) -> bool:
    """Whether a folder inside a kustomization is one itself, at some depth; else it is the outer one's material."""
    return any(map(_renders, (found for name in (*KUSTOMIZATIONS, CHART) for found in folder.rglob(name))))


def _renders(entry: Path) -> bool:
    """Whether it makes a folder a kustomization or chart; Flux has a Kustomization, too, which is a manifest."""
    if entry.name == CHART:
        return True
    said = str(_head(entry).get("apiVersion") or KUSTOMIZE) if entry.name in KUSTOMIZATIONS else ""
    return said.startswith(KUSTOMIZE)


def _is_part(marker: Path) -> bool:
    """Whether it is nothing by itself: a component changes what its overlays have, a library chart only lends."""
    head = _head(marker)
    return head.get("kind") == "Component" if marker.name != CHART else head.get("type") == "library"


def _head(path: Path) -> Mapping[str, Any]:
    """What the first document says; nothing where it cannot be read, so that the tool it is for says why."""
    try:
        found = next(documents(_content(path).decode("utf-8-sig")), None)
    except UnicodeDecodeError:
        return {}
    return found.body if found and isinstance(found.body, Mapping) else {}


def shown(path: Path) -> str:
    """The name in reports, which are UTF-8: bytes of another encoding are written out."""
    return str(path).encode(errors="surrogateescape").decode(errors="backslashreplace")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckError(f"{path}: cannot be read ({error.strerror})") from None


def _rendered(marker: Path) -> Source:
    folder = str(marker.parent)
    if _is_part(marker):
        raise CheckError(f"{shown(marker)}: is nothing by itself; check the overlays or charts that include it")
    if marker.name == CHART:
        name = marker.parent.resolve().name.lower()
        return Source(shown(marker), _run(marker, ["helm", "template", name, folder, "--include-crds"]), rendered=True)
    return Source(shown(marker), _run(marker, ["kubectl", "kustomize", folder]), rendered=True)


def _run(marker: Path, command: list[str]) -> bytes:
    tool = command[0]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=TIMEOUT)
    except FileNotFoundError:
        raise CheckError(f"{marker}: has to be rendered, and {tool} is not in PATH; install {tool}") from None
    except subprocess.TimeoutExpired:
        raise CheckError(f"{marker}: {tool} gave no result within {TIMEOUT} s") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["failed without a word"]
        raise CheckError(f"{marker}: {tool}: {said[-1]}")
    return done.stdout
