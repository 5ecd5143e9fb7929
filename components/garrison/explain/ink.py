"""How a picture looks: colours in the light and in the dark, and what each shape and kind of line is drawn as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from garrison.explain.links import Kind, Shape

Colour = tuple[str, str]  # in the light, in the dark


@dataclass(frozen=True)
class Line:
    """How a kind of link is drawn: the name of its class, its colour, and its dashes (empty: none)."""

    name: str
    colour: Colour
    dash: str = ""


LINES: Final[Mapping[Kind, Line]] = {
    Kind.WAY_IN: Line("way", ("#475569", "#a3b1c6")),
    Kind.PUBLIC: Line("open", ("#166534", "#4ade80"), "7 4"),
    Kind.TOKEN: Line("user", ("#6d28d9", "#c4b5fd")),
    Kind.CALL: Line("call", ("#1e293b", "#dbe3ee")),
    Kind.CONNECTION: Line("tcp", ("#0f766e", "#5eead4"), "10 3 2 3"),
    Kind.LEASE: Line("lease", ("#92400e", "#fbbf24"), "2 3"),
    Kind.READ: Line("read", ("#9d174d", "#f9a8d4"), "2 3"),
    Kind.RIGHT: Line("right", ("#475569", "#a3b1c6"), "2 3"),
}
# Of calls in a picture with many lines, by caller: for following the lines of one by eye.
HUES: Final[tuple[Line, ...]] = (
    Line("blue", ("#1d4ed8", "#93c5fd")),
    Line("rust", ("#9a3412", "#fdba74")),
    Line("olive", ("#3f6212", "#d9f99d")),
    Line("pink", ("#be185d", "#f9a8d4")),
)
# What a part is drawn as: its outline, and a sign before its name (empty: none).
OUTLINES: Final[Mapping[Shape, tuple[str, str]]] = {
    Shape.HOST: ("pill", "person"),
    Shape.EDGE: ("hexagon", ""),
    Shape.ISSUER: ("pill", "key"),
    Shape.SERVICE: ("box", ""),
    Shape.TCP: ("barred", ""),
    Shape.WORKER: ("cut", ""),
    Shape.JOB: ("cut", "clock"),
    Shape.DATABASE: ("drum", ""),
    Shape.SECRET: ("pill", "key"),
    Shape.ELSEWHERE: ("box", "globe"),
    Shape.OUTSIDE: ("pill", "globe"),
    Shape.API: ("square", ""),
}
# Drawn in a square of 12, its left upper corner at 0 0.
SIGNS: Final[Mapping[str, str]] = {
    "person": "M6 6a2.4 2.4 0 1 1 .01 0zM1.6 11.5c0-2.6 2-4 4.4-4s4.4 1.4 4.4 4",
    "key": "M4 9a2.6 2.6 0 1 1 1.9-4.4L11 4.6v2.2M8.8 4.6v2M5.9 4.6A2.6 2.6 0 0 1 4 9",
    "clock": "M6 11A5 5 0 1 1 6.01 11zM6 3v3.2l2.2 1.4",
    "globe": "M6 11A5 5 0 1 1 6.01 11zM1 6h10M6 1c-3 3-3 7 0 10c3-3 3-7 0-10",
}
FRAMES: Final[tuple[Colour, ...]] = (
    ("#f0f6ff", "#13223a"),
    ("#eefaf2", "#10281c"),
    ("#fdf8ec", "#2a2310"),
    ("#fdf1f7", "#2c1725"),
    ("#f4f1fe", "#201b3a"),
    ("#f1f5f9", "#1a2434"),
)
PAPER: Final[Colour] = ("#ffffff", "#0b1120")
BOX: Final[Colour] = ("#ffffff", "#1b2638")
TEXT: Final[Colour] = ("#0f172a", "#f1f5f9")
SOFT: Final[Colour] = ("#475569", "#b6c2d2")
RIM: Final[Colour] = ("#64748b", "#8593a8")
WEAK: Final[Colour] = ("#b91c1c", "#fca5a5")  # the rim of what has one layer less
WIDTHS: Final[Mapping[str, str]] = {
    "l": "fill:none;stroke-width:1.3",
    "sign": "fill:none;stroke-width:1.2",
    "seam": "fill:none;opacity:.45",
    "many .l": "stroke-width:.7",
    "line:hover .l": "stroke-width:3.5",
    "hit": "fill:none;stroke:#000;stroke-opacity:0;stroke-width:9",
    "frame": "stroke-width:1;stroke-opacity:.45",
    "weak": "stroke-width:1.8",
}


def style() -> str:
    """The style sheet: light, and for a reader whose system is dark the same in the dark."""
    dashes = "".join(f".{line.name}{{stroke-dasharray:{line.dash}}}" for line in LINES.values() if line.dash)
    fixed = "".join(f".{name}{{{said}}}" for name, said in WIDTHS.items())
    return f"{fixed}{dashes}{_colours(0)}@media(prefers-color-scheme:dark){{{_colours(1)}}}"


def _colours(mode: int) -> str:
    inks = {line.name: line.colour[mode] for line in (*LINES.values(), *HUES)}
    said = [f".{name}{{stroke:{colour}}}.{name}-f{{fill:{colour}}}" for name, colour in inks.items()]
    said += [f".f{number}{{fill:{frame[mode]}}}" for number, frame in enumerate(FRAMES)]
    said += [f".paper{{fill:{PAPER[mode]}}}.box{{fill:{BOX[mode]}}}.ink{{fill:{TEXT[mode]}}}.soft{{fill:{SOFT[mode]}}}"]
    said += [f".rim,.sign,.seam,.frame{{stroke:{RIM[mode]}}}.weak{{stroke:{WEAK[mode]}}}.weak-f{{fill:{WEAK[mode]}}}"]
    return "".join(said)
