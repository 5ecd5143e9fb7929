"""Where the parts of a picture lie and how its lines run, by Graphviz's `dot`.

It is told the size of each block, in which frame it stands, and what leads where; it answers with places. No text
and no font is known to it, so the answer is the same wherever the same program answers.
"""

from __future__ import annotations

import json
import math
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
SECONDS: Final = 60  # four hundred services with 1,500 calls take three; what takes longer nobody could read
INCH: Final = 72  # in Graphviz a node's size is in inches, a place in points
CROWDED: Final = 40  # lines from which columns stand further apart, so that they can be told apart between them
Point = tuple[float, float]
GRAPH: Final = "rankdir=LR splines=true pad=0 outputorder=edgesfirst"
# newrank: columns of the whole picture and not of each frame, so that who calls is left of who is called everywhere.
# In one of five hundred random pictures Graphviz lets a line run behind a box: that one is laid out in another way.
TRIED: Final = (
    "newrank=true nodesep=0.12",
    "newrank=true nodesep=0.3",
    "newrank=false nodesep=0.12",
    "newrank=false nodesep=0.3",
)
COLUMN: Final = 100  # points: boxes are looked up by the columns that they are in
STEPS: Final = 24  # points of a curve that are looked at


class LayoutError(GarrisonError):
    """There is no program that lays out, or it gave no answer."""


@dataclass(frozen=True)
class Rect:
    """A place: its left upper corner and its size."""

    x: float
    y: float
    width: float
    height: float

    def holds(self, point: Point) -> bool:
        """Whether a point is inside, by more than the width of a line."""
        x, y = point
        return self.x + 1 < x < self.x + self.width - 1 and self.y + 1 < y < self.y + self.height - 1


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
    best, least = None, len(ways) + 1
    for form in TRIED:
        found = _read(_asked("\n".join(_written(blocks, ways, frames, form))), blocks, ways, [*frames])
        if (behind := _behind(found)) < least:
            best, least = found, behind
        if not least:
            break
    assert best
    return best


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


def _written(blocks: Sequence[Block], ways: Sequence[Way], frames: Mapping[str, int], form: str) -> Iterator[str]:
    """The question in Graphviz's language; everything is called by its number."""
    number = {block.key: place for place, block in enumerate(blocks)}
    apart = 1.2 if len(ways) > CROWDED else 0.8
    yield f"digraph {{ graph [{GRAPH} {form} ranksep={apart}] node [shape=plain] edge [dir=none]"
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
    lines = [tuple(map(_point, drawn[place].split())) for place in range(len(ways))]
    out = {block.key: _out(found[block.key], block) for block in blocks}
    turned = tuple(_from(out[way.start], line) for way, line in zip(ways, lines, strict=True))
    return Placed(whole.width, whole.height, found, around, turned)


def _out(rect: Rect, block: Block) -> Point:
    """Where lines leave."""
    return rect.x + rect.width, rect.y + block.heights[0] / 2


def _from(start: Point, line: tuple[Point, ...]) -> tuple[Point, ...]:
    """A line in its own direction: Graphviz gives some between boxes of one column the other way round."""
    return line if math.dist(start, line[0]) <= math.dist(start, line[-1]) else line[::-1]


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


def _behind(found: Placed) -> int:
    """How many lines run behind a box."""
    columns: dict[int, list[Rect]] = {}
    for rect in found.blocks.values():
        for column in range(int(rect.x // COLUMN), int((rect.x + rect.width) // COLUMN) + 1):
            columns.setdefault(column, []).append(rect)
    return sum(any(_meets(curve, columns) for curve in curves(way)) for way in found.ways)


def curves(way: Sequence[Point]) -> Iterator[Sequence[Point]]:
    """The cubic curves of a way, each as its four points."""
    return (way[place : place + 4] for place in range(0, len(way) - 1, 3))


def along(curve: Sequence[Point]) -> Iterator[Point]:
    """Points along a cubic curve, its ends among them."""
    for step in range(STEPS + 1):
        t = step / STEPS
        parts = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3)
        x, y = (sum(part * point[axis] for part, point in zip(parts, curve, strict=True)) for axis in (0, 1))
        yield x, y


def _meets(curve: Sequence[Point], columns: Mapping[int, Sequence[Rect]]) -> bool:
    """Whether a curve is inside of a box somewhere; it is within the hull of its points, which is looked at first."""
    (left, right), (top, bottom) = ((min(axis), max(axis)) for axis in zip(*curve, strict=True))
    near = {rect for at in range(int(left // COLUMN), int(right // COLUMN) + 1) for rect in columns.get(at, ())}
    near = {r for r in near if left < r.x + r.width and r.x < right and top < r.y + r.height and r.y < bottom}
    return bool(near) and any(r.holds(point) for point in along(curve) for r in near)
