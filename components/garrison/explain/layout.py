"""Where the parts of a picture lie and how its lines run, by Graphviz's `dot`.

It is told the size of each block, in which frame it stands, and what leads where; it answers with places. No text
and no font is known to it, so the answer is the same wherever the same program answers.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from garrison.errors import GarrisonError

PROGRAM: Final = "graphviz-pure"  # the same program from a wheel, without libraries (docs/decisions.md)
PROGRAMS: Final = (PROGRAM, "dot")
SECONDS: Final = 120  # a thousand services with five thousand calls take a tenth of it
INCH: Final = 72  # in Graphviz a node's size is in inches, a place in points
CROWDED: Final = 40  # lines from which columns stand further apart, so that they can be told apart between them
Point = tuple[float, float]
# newrank: columns of the whole picture and not of each frame, so that who calls is left of who is called everywhere
GRAPH: Final = "rankdir=LR newrank=true splines=true nodesep=0.12 pad=0 outputorder=edgesfirst"


class LayoutError(GarrisonError):
    """There is no program that lays out, or it gave no answer."""


@dataclass(frozen=True)
class Rect:
    """A place: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Block:
    """Something to be placed: rows one below the other, each `heights` high. Lines leave at the right of the first row.

    frame: in which it stands, empty for none.
    """

    key: str
    width: int
    heights: tuple[int, ...]
    frame: str = ""


@dataclass(frozen=True)
class Way:
    """What leads from the first row of a block to a row of another, where it arrives at the left."""

    start: str
    end: str
    row: int = 0


@dataclass(frozen=True)
class Placed:
    """The places of blocks and frames, and each way as the control points of a chain of cubic Bezier curves."""

    width: float
    height: float
    blocks: Mapping[str, Rect]
    frames: Mapping[str, Rect]
    ways: tuple[tuple[Point, ...], ...]


def placed(blocks: Sequence[Block], ways: Sequence[Way], frames: Mapping[str, int]) -> Placed:
    """The whole picture; `frames` has the width that the name of each takes. Raises LayoutError."""
    if not blocks:
        return Placed(0, 0, {}, {}, ())
    return _read(_asked("\n".join(_written(blocks, ways, frames))), blocks, ways, [*frames])


def program() -> str:
    """The program that lays out: of this installation, else one on the path; raises LayoutError where there is none."""
    own = Path(sysconfig.get_path("scripts")) / PROGRAM
    found = [str(own)] if own.is_file() else [path for name in PROGRAMS if (path := shutil.which(name))]
    if not found:
        raise LayoutError(f"an SVG needs a layout: install {PROGRAM!r} (pip install '.[picture]') or Graphviz")
    return found[0]


def _asked(text: str) -> Any:
    command = [program(), "-Kdot", "-Tjson0", "-y"]
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=SECONDS)
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise LayoutError(f"{command[0]}: no layout after {SECONDS} s; show less with --of, --to and --depth") from None
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        said = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise LayoutError(f"{command[0]}: no layout: {said[-1] if said else error}") from None


def _written(blocks: Sequence[Block], ways: Sequence[Way], frames: Mapping[str, int]) -> Iterator[str]:
    """The question in Graphviz's language; everything is called by its number."""
    number = {block.key: place for place, block in enumerate(blocks)}
    apart = 1.2 if len(ways) > CROWDED else 0.8
    yield f"digraph {{ graph [{GRAPH} ranksep={apart}] node [shape=plain] edge [dir=none]"
    for place, (frame, width) in enumerate(frames.items()):
        label = _table([(width, 12)])
        yield f"subgraph cluster_{place} {{ graph [margin=14 labeljust=l label={label}]"
        yield from (_block(number[block.key], block) for block in blocks if block.frame == frame)
        yield "}"
    yield from (_block(number[block.key], block) for block in blocks if not block.frame)
    for place, way in enumerate(ways):
        yield f"n{number[way.start]}:r0:e -> n{number[way.end]}:r{way.row}:w [id={place}]"
    yield "}"


def _block(number: int, block: Block) -> str:
    return f"n{number} [label={_table([(block.width, height) for height in block.heights])}]"


def _table(cells: Sequence[tuple[int, int]]) -> str:
    """A label of empty cells of exactly these sizes, each a port."""
    rows = "".join(
        f'<TR><TD PORT="r{row}" FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{height}"></TD></TR>'
        for row, (width, height) in enumerate(cells)
    )
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0">{rows}</TABLE>>'


def _read(data: Any, blocks: Sequence[Block], ways: Sequence[Way], frames: Sequence[str]) -> Placed:
    objects = {item["name"]: item for item in data.get("objects", ())}
    drawn = {int(edge["id"]): edge["pos"] for edge in data.get("edges", ()) if "pos" in edge}
    found = {block.key: _middle(objects[f"n{place}"]) for place, block in enumerate(blocks)}
    lost = [way for place, way in enumerate(ways) if place not in drawn]
    if lost:
        raise LayoutError(f"{program()}: no way from {lost[0].start} to {lost[0].end}; show less with --of and --to")
    whole = _corners(data["bb"])
    around = {frame: _corners(objects[f"cluster_{place}"]["bb"]) for place, frame in enumerate(frames)}
    lines = tuple(tuple(map(_point, drawn[place].split())) for place in range(len(ways)))
    return Placed(whole.width, whole.height, found, around, lines)


def _middle(item: Mapping[str, str]) -> Rect:
    x, y = _point(item["pos"])
    width, height = (float(item[name]) * INCH for name in ("width", "height"))
    return Rect(round(x - width / 2, 2), round(y - height / 2, 2), round(width, 2), round(height, 2))


def _corners(text: str) -> Rect:
    x, y, to, at = map(float, text.split(","))
    return Rect(min(x, to), min(y, at), abs(to - x), abs(at - y))


def _point(text: str) -> Point:
    x, y = map(float, text.split(","))
    return x, y
