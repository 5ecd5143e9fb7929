"""The matrix as an SVG picture: rows call columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from garrison.prove.judge.report import LETTERS, MEANING, Matrix, axes, bare, matrix
from garrison.prove.model import Party, Result

HEIGHT, TOP, MARGIN, LETTER = 34, 64, 16, 7.3
STYLES = ("pass", "stop", "wrong", "lost")
# name: fill in the light, fill in the dark
FILLS = {
    "paper": ("#ffffff", "#0f172a"),
    "pass": ("#d7f0dd", "#14432a"),
    "stop": ("#eef0f3", "#1e293b"),
    "wrong": ("#f9c9c9", "#6b1d1d"),
    "lost": ("#fbe6b8", "#5c4210"),
    "ink": ("#1f2733", "#f1f5f9"),
    "none": ("#aab2bd", "#64748b"),
    "pass-ink": ("#14532d", "#bbf7d0"),
    "stop-ink": ("#5b6472", "#b6c2d2"),
    "wrong-ink": ("#8f1414", "#fecaca"),
    "lost-ink": ("#7a4b00", "#fde68a"),
}
# drawn, because not every typeface has them: a tick and a cross, 10 wide, on the line of the text
MARKS = {"✔": "M0 -4 3.5 0 10 -9", "✕": "M1 -8 8 -1M8 -8 1 -1"}


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
    grid, legend = Grid(*axes(cells)), [*_legend(cells), *bare(results)]
    if not cells:
        grid, legend = Grid([Party("outside")], [Party("outside")]), ["Nothing was probed."]
    width, height = round(grid.width), grid.bottom + 20 + 20 * len(legend)
    body = [
        _text(MARGIN, 26, title, size=16, weight="600"),
        *(_text(_middle(grid, i), TOP - 12, str(c), anchor="middle") for i, c in enumerate(grid.columns)),
        *(_text(grid.left - 12, TOP + HEIGHT * j + 22, str(r), anchor="end") for j, r in enumerate(grid.rows)),
        *(_cell(cells, grid, i, j) for j in range(len(grid.rows)) for i in range(len(grid.columns))),
        *(_marked(MARGIN, grid.bottom + 26 + 20 * k, line, "ink", size=12) for k, line in enumerate(legend)),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{escape(title, {chr(34): "&quot;"})}">'
    )
    paper = f'<rect width="{width}" height="{height}" class="paper"/>'
    return "\n".join([head, f"<style>{_style()}</style>", paper, *body, "</svg>"]) + "\n"


def _style() -> str:
    """Light, and for a reader whose system is dark the same in the dark."""
    light, dark = ("".join(f".{name}{{fill:{fill[n]}}}" for name, fill in FILLS.items()) for n in (0, 1))
    lines = [[f".{name}-mark{{stroke:{FILLS[ink][n]}}}" for name, ink in _inks()] for n in (0, 1)]
    fixed = f"{','.join(f'.{name}-mark' for name, _ in _inks())}{{fill:none;stroke-width:2}}"
    return f"{fixed}{light}{''.join(lines[0])}@media(prefers-color-scheme:dark){{{dark}{''.join(lines[1])}}}"


def _inks() -> list[tuple[str, str]]:
    return [("ink", "ink"), *((style, f"{style}-ink") for style in STYLES)]


def _middle(grid: Grid, i: int) -> float:
    return grid.left + grid.cell * (i + 0.5)


def _cell(cells: Matrix, grid: Grid, i: int, j: int) -> str:
    y = TOP + HEIGHT * j
    cell = cells.get((grid.rows[j], grid.columns[i]))
    if cell is None:
        return _text(_middle(grid, i), y + 22, "·", anchor="middle", style="none")
    place = f'x="{grid.left + grid.cell * i + 2:g}" y="{y + 2}" width="{grid.cell - 4:g}" height="{HEIGHT - 4}"'
    box = f'<rect {place} rx="5" class="{cell.style}"/>'
    left = _middle(grid, i) - LETTER * len(cell.text) / 2
    return box + _marked(left, y + 22, cell.text, cell.style)


def _legend(cells: Matrix) -> list[str]:
    used = {letter for cell in cells.values() for letter in cell.letters}
    layers = [f"{letter}: {MEANING[layer]}" for layer, letter in LETTERS.items() if letter in used]
    return ["Rows call columns.", "✔ n: n declared operations passed", "✕ nothing passed; refused by", *layers]


def _marked(x: float, y: float, text: str, style: str, *, size: int = 13) -> str:
    """A text whose first letter may be a mark."""
    ink = style if style == "ink" else f"{style}-ink"
    mark, said = text[:1], text[1:].strip()
    if mark not in MARKS:
        return _text(x, y, text, size=size, style=ink)
    path = f'<path class="{style}-mark" transform="translate({x:g} {y:g})" d="{MARKS[mark]}"/>'
    return f"{path}{_text(x + 16, y, said, size=size, style=ink)}"


def _text(
    x: float,
    y: float,
    text: str,
    *,
    size: int = 13,
    anchor: str = "start",
    weight: str = "400",
    style: str = "ink",
) -> str:
    look = f'font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" class="{style}"'
    return f'<text x="{x:g}" y="{y:g}" {look}>{escape(text)}</text>'
