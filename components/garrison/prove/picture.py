"""The matrix as an SVG picture: rows call columns."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from garrison.prove.model import Party, Result
from garrison.prove.report import LETTERS, MEANING, Matrix, axes, matrix

WIDTH, HEIGHT, LEFT, TOP = 132, 34, 190, 64
FILLS = {"pass": "#d7f0dd", "stop": "#eef0f3", "wrong": "#f9c9c9", "lost": "#fbe6b8"}
INK = {"pass": "#14532d", "stop": "#5b6472", "wrong": "#8f1414", "lost": "#7a4b00"}


def as_svg(results: Sequence[Result], title: str) -> str:
    """A picture that needs no script and no font of its own."""
    cells = matrix(results)
    rows, columns = axes(cells)
    legend = _legend(cells)
    width = LEFT + WIDTH * len(columns) + 16
    height = TOP + HEIGHT * len(rows) + 20 + 20 * len(legend)
    body = [
        _text(16, 26, title, size=16, weight="600"),
        *(_text(LEFT + WIDTH * i + WIDTH / 2, TOP - 12, str(c), anchor="middle") for i, c in enumerate(columns)),
        *(_text(LEFT - 12, TOP + HEIGHT * j + 22, str(r), anchor="end") for j, r in enumerate(rows)),
        *(_cell(cells, r, c, i, j) for j, r in enumerate(rows) for i, c in enumerate(columns)),
        *(_text(16, TOP + HEIGHT * len(rows) + 26 + 20 * k, line, size=12) for k, line in enumerate(legend)),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" role="img" aria-label="{escape(title, {chr(34): "&quot;"})}">'
    )
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="#ffffff"/>', *body, "</svg>"]) + "\n"


def _cell(cells: Matrix, row: Party, column: Party, i: int, j: int) -> str:
    x, y = LEFT + WIDTH * i, TOP + HEIGHT * j
    cell = cells.get((row, column))
    if cell is None:
        return _text(x + WIDTH / 2, y + 22, "·", anchor="middle", fill="#c3c8d0")
    box = f'<rect x="{x + 2}" y="{y + 2}" width="{WIDTH - 4}" height="{HEIGHT - 4}" rx="5" fill="{FILLS[cell.style]}"/>'
    return box + _text(x + WIDTH / 2, y + 22, cell.text, anchor="middle", fill=INK[cell.style])


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
