"""The matrix as an SVG picture: rows call columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from garrison.prove.judge.report import LETTERS, MEANING, Matrix, axes, matrix
from garrison.prove.model import Party, Result

HEIGHT, TOP, MARGIN, LETTER = 34, 64, 16, 7.3
FILLS = {"pass": "#d7f0dd", "stop": "#eef0f3", "wrong": "#f9c9c9", "lost": "#fbe6b8"}
INK = {"pass": "#14532d", "stop": "#5b6472", "wrong": "#8f1414", "lost": "#7a4b00"}


@dataclass(frozen=True)
class Grid:
    """Where the cells are: as wide as the longest names need."""

    rows: list[Party]
    columns: list[Party]

    @property
    def left(self) -> float:
        return MARGIN * 2 + LETTER * max(len(str(row)) for row in self.rows)

    @property
    def cell(self) -> float:
        return MARGIN + LETTER * max(11, *(len(str(column)) for column in self.columns))

    @property
    def bottom(self) -> float:
        return TOP + HEIGHT * len(self.rows)

    @property
    def width(self) -> float:
        return self.left + self.cell * len(self.columns) + MARGIN


def as_svg(results: Sequence[Result], title: str) -> str:
    """A picture that needs no script and no font of its own."""
    cells = matrix(results)
    grid, legend = Grid(*axes(cells)), _legend(cells)
    if not cells:
        grid, legend = Grid([Party("outside")], [Party("outside")]), ["Nothing was probed."]
    width, height = round(grid.width), grid.bottom + 20 + 20 * len(legend)
    body = [
        _text(MARGIN, 26, title, size=16, weight="600"),
        *(_text(_middle(grid, i), TOP - 12, str(c), anchor="middle") for i, c in enumerate(grid.columns)),
        *(_text(grid.left - 12, TOP + HEIGHT * j + 22, str(r), anchor="end") for j, r in enumerate(grid.rows)),
        *(_cell(cells, grid, i, j) for j in range(len(grid.rows)) for i in range(len(grid.columns))),
        *(_text(MARGIN, grid.bottom + 26 + 20 * k, line, size=12) for k, line in enumerate(legend)),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{escape(title, {chr(34): "&quot;"})}">'
    )
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *body, "</svg>"]) + "\n"


def _middle(grid: Grid, i: int) -> float:
    return grid.left + grid.cell * (i + 0.5)


def _cell(cells: Matrix, grid: Grid, i: int, j: int) -> str:
    y = TOP + HEIGHT * j
    cell = cells.get((grid.rows[j], grid.columns[i]))
    if cell is None:
        return _text(_middle(grid, i), y + 22, "·", anchor="middle", fill="#c3c8d0")
    place = f'x="{grid.left + grid.cell * i + 2:g}" y="{y + 2}" width="{grid.cell - 4:g}" height="{HEIGHT - 4}"'
    box = f'<rect {place} rx="5" fill="{FILLS[cell.style]}"/>'
    return box + _text(_middle(grid, i), y + 22, cell.text, anchor="middle", fill=INK[cell.style])


def _legend(cells: Matrix) -> list[str]:
    used = {letter for cell in cells.values() for letter in cell.letters}
    layers = [f"{letter}: {MEANING[layer]}" for layer, letter in LETTERS.items() if letter in used]
    return ["Rows call columns. ✔ n: n declared operations passed. ✕: nothing passed. Refused by", *layers]


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    anchor: str = "start",
    weight: str = "400",
    fill: str = "#1f2733",
) -> str:
    style = f'font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="{fill}"'
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(text)}</text>'
