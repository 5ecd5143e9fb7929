"""A text, a line, a shape, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Final

from garrison.explain import ink
from garrison.explain.boxes import cut
from garrison.explain.ink import Line
from garrison.explain.layout import Point, Rect
from garrison.explain.links import Shape

STRONG: Final = 'font-weight="600"'


def text(x: float, y: float, said: str, style: str, more: str = "") -> str:
    """One line of text, cut where it is too long; the whole is its hint then."""
    whole = f"<title>{escape(said)}</title>" if cut(said) != said else ""
    return f'<text class="{style}" x="{x:g}" y="{y:g}"{" " * bool(more)}{more}>{whole}{escape(cut(said))}</text>'


def rect(at: Rect, style: str, radius: float) -> str:
    """A rectangle with round corners."""
    place = f'x="{at.x:g}" y="{at.y:g}" width="{at.width:g}" height="{at.height:g}" rx="{radius:g}"'
    return f'<rect class="{style}" {place}/>'


def sign(name: str, x: float, y: float) -> str:
    """A small sign before a name."""
    return f'<path class="sign" transform="translate({x:g} {y:g})" d="{ink.SIGNS[name]}"/>'


def outline(shape: Shape, at: Rect, style: str) -> str:
    """The outline of a part."""
    return _OUTLINES[ink.OUTLINES[shape][0]](at, style)


def line(drawn: Line, points: Sequence[Point]) -> str:
    """A line with its arrow, along cubic curves; it takes a pointer from a little way off."""
    first, *rest = (f"{x:.1f} {y:.1f}" for x, y in points)
    way, name = f"M{first}C{' '.join(rest)}", drawn.name
    return f'<path class="hit" d="{way}"/><path class="l {name}" d="{way}" marker-end="url(#{name})"/>'


def markers(lines: Iterable[Line]) -> Iterator[str]:
    """The arrows of these lines."""
    for name in dict.fromkeys(drawn.name for drawn in lines):
        yield (
            f'<marker id="{name}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
            f'markerUnits="userSpaceOnUse" orient="auto"><path class="{name}-f" d="M0 0 8 4 0 8z"/></marker>'
        )


def _rounded(radius: float) -> Callable[[Rect, str], str]:
    return lambda at, style: rect(at, style, min(radius, at.height / 2))


def _drum(at: Rect, style: str) -> str:
    half = f"a{at.width / 2:g} 5 0 0"
    body = f"M{at.x:g} {at.y + 5:g}v{at.height - 10:g}{half} 0 {at.width:g} 0v{10 - at.height:g}"
    return f'<path class="{style}" d="{body}{half} 0 {-at.width:g} 0{half} 0 {at.width:g} 0"/>'


def _cut_corners(depth: float) -> Callable[[Rect, str], str]:
    def drawn(at: Rect, style: str) -> str:
        flat, side = at.width - 2 * depth, at.height - 2 * depth
        right = f"h{flat:g}l{depth:g} {depth:g}v{side:g}l{-depth:g} {depth:g}"
        left = f"h{-flat:g}l{-depth:g} {-depth:g}v{-side:g}z"
        return f'<path class="{style}" d="M{at.x + depth:g} {at.y:g}{right}{left}"/>'

    return drawn


def _barred(at: Rect, style: str) -> str:
    bars = "".join(f"M{x:g} {at.y:g}v{at.height:g}" for x in (at.x + 5, at.x + at.width - 5))
    return rect(at, style, 2) + f'<path class="sign" d="{bars}"/>'


_OUTLINES: Final[Mapping[str, Callable[[Rect, str], str]]] = {
    "box": _rounded(6),
    "pill": _rounded(15),
    "drum": _drum,
    "hexagon": _cut_corners(9),
    "cut": _cut_corners(5),
    "barred": _barred,
    "square": _rounded(0),
}
