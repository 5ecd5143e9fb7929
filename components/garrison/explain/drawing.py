"""The graph as SVG: parts in the frames of their namespaces, lines between them, and no text on a line.

What a line may do stands in the box where it ends while there are few lines, and is said when a pointer rests on it.
What one service alone has (a database, a secret) hangs below that service, which halves the lines of a large picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import escape
from typing import Final

from garrison.explain import ink, layout, links, strokes
from garrison.explain.boxes import BELOW, DETAILED, HANG, LEFT, LETTER, LINE, NAME, PAD, SIGN, Box, boxes
from garrison.explain.ink import Line
from garrison.explain.layout import Block, Point, Rect, Way
from garrison.explain.links import Kind, Link, Node, Shape
from garrison.explain.strokes import STRONG, text
from garrison.model.parts import Parts

MARGIN, TITLE, TAB, NARROW = 24, 34, 18, 640  # around all; for the title; a frame's name; the narrowest picture
MANY: Final = 12  # lines of one part from which they are drawn thin: they are many, and each says little
LISTED: Final = 30  # things that the hint of a box names at most
Drawn = Callable[[float, float], str]  # at a place


def svg(parts: Parts, said: str = "") -> str:
    """Who calls is left of who is called; light or dark as the reader's system is. `said`: what is shown of the graph.

    Raises LayoutError where nothing lays it out.
    """
    return "\n".join(_Picture(parts, f"{parts.name}: {said or 'who may call whom'}").written()) + "\n"


class _Picture:
    """The parts in their places."""

    def __init__(self, parts: Parts, title: str) -> None:
        self.title = title
        self.nodes = {node.key: node for node in links.nodes(parts)}
        self.links = [*links.links(parts)]
        self.starts = Counter(link.start for link in self.links)
        self.number = {key: number for number, key in enumerate(self.nodes)}
        self.boxes = boxes(self.nodes, self.links)
        spaces = sorted({node.namespace for node in self.nodes.values() if node.namespace})
        self.frames = {space: int(LETTER * 1.1 * len(space)) + 16 for space in spaces}
        self.drawn = self._drawn()
        blocks = [Block(key, box.width, box.heights, box.node.namespace) for key, box in self.boxes.items()]
        self.place = layout.placed(blocks, [way for _, way in self.drawn], self.frames)
        self.hues = self._hues()

    def _drawn(self) -> list[tuple[Link, Way]]:
        """The lines between blocks and where each ends: at its row, or as one of its kind for a pair at the head."""
        found: dict[tuple[str, str, Kind, int], tuple[Link, Way]] = {}
        for box in self.boxes.values():
            for row, link in enumerate(box.rows):
                key = (link.start, link.end, link.kind, box.end(row))
                before = found[key][0].lines if key in found else ()
                found[key] = replace(link, lines=(*before, *link.lines)), Way(link.start, link.end, box.end(row))
        return [*found.values()]

    def written(self) -> Iterator[str]:
        least = max(self.place.width, NARROW, NAME * 1.3 * len(self.title))
        legend, bottom = self._legend(self.place.height + 40, least)
        width, height, title = least + 2 * MARGIN, bottom + TITLE + 2 * MARGIN, escape(self.title)
        yield (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
            f'height="{height:g}" font-family="system-ui, sans-serif" font-size="11" role="img" aria-label="{title}">'
        )
        yield f"<title>{title}</title>"
        yield f"<style>{ink.style()}{self._hover()}</style>"
        yield from strokes.markers(map(self._ink, sorted(self.links, key=lambda link: [*Kind].index(link.kind))))
        yield '<rect class="paper" width="100%" height="100%"/>'
        yield f'<text class="ink" x="{MARGIN}" y="{MARGIN + 8}" font-size="16" {STRONG}>{title}</text>'
        yield f'<g transform="translate({MARGIN} {MARGIN + TITLE})">'
        for number, at in enumerate(self.place.frames.values()):
            yield strokes.rect(at, f"frame f{number % len(ink.FRAMES)}", 10)
        for (link, _), points in zip(self.drawn, self.place.ways, strict=True):
            yield self._line(link, points)
        for number, (frame, at) in enumerate(self.place.frames.items()):  # over the lines: a name is never crossed
            yield strokes.rect(Rect(at.x + 1, at.y + 1, self.frames[frame], TAB), f"f{number % len(ink.FRAMES)}", 9)
            yield text(at.x + 9, at.y + 14, frame, "soft", STRONG)
        for key, box in self.boxes.items():
            at = self.place.blocks[key]
            yield from self._box(box, at.x, at.y, box.width)
        yield from legend
        yield "</g>\n</svg>"

    def _hover(self) -> str:
        """While a pointer rests on a part only its own lines are seen, where a browser knows `:has`."""
        ids = (self.number[key] for key in self.nodes)
        return "".join(f"svg:has(#n{n}:hover) .line:not(.n{n}){{opacity:.07}}" for n in ids)

    def _line(self, link: Link, points: tuple[Point, ...]) -> str:
        said = [f"{self._name(link.start)} → {self._name(link.end)}: {link.kind}", *link.lines, *link.fine]
        ends = f"n{self.number[link.start]} n{self.number[link.end]}{' many' * (self.starts[link.start] > MANY)}"
        hint = escape("\n".join(said))
        return f'<g class="line {ends}"><title>{hint}</title>{strokes.line(self._ink(link), points)}</g>'

    def _ink(self, link: Link) -> Line:
        return self.hues.get(link.start, ink.LINES[link.kind]) if link.kind == Kind.CALL else ink.LINES[link.kind]

    def _hues(self) -> dict[str, Line]:
        """Where there are many lines, the colour of each caller's calls: neighbours in a column have different ones."""
        if len(self.links) <= DETAILED:
            return {}
        callers = {link.start for link in self.links if link.kind == Kind.CALL and self.starts[link.start] <= MANY}
        at = self.place.blocks
        order = sorted(callers, key=lambda key: (at[key].x, at[key].y))
        return {key: ink.HUES[number % len(ink.HUES)] for number, key in enumerate(order)}

    def _name(self, key: str) -> str:
        node = self.nodes[key]
        return f"{node.namespace}/{node.name}" if node.namespace and node.shape != Shape.SECRET else node.name

    def _box(self, box: Box, x: float, y: float, width: float) -> Iterator[str]:
        """The part, and what hangs below it, each at the end of a line of its own."""
        node = box.node
        yield f'<g id="n{self.number[node.key]}"><title>{self._about(node)}</title>'
        yield strokes.outline(node.shape, Rect(x, y, width, box.height), f"box rim{' weak' * bool(node.weak)}")
        yield from _words(box, x + LEFT, y, width - LEFT - 8)
        yield "</g>"
        below = y + box.height
        for number, hung in enumerate(box.hung):
            down = x + 6 + 4 * (number % 3)  # so that lines of several kinds are seen
            corner, left = (down, below + BELOW + hung.head / 2), x + HANG
            start = (down, y + box.height)
            yield self._line(hung.rows[0], (start, start, corner, corner, corner, (left, corner[1]), (left, corner[1])))
            yield from self._box(hung, left, below + BELOW, width - HANG)
            below += BELOW + hung.height

    def _about(self, node: Node) -> str:
        """What it is, what it may, and who may do what there."""
        mine = [link for link in self.links if link.start == node.key]
        others = [link for link in self.links if link.end == node.key]
        said = [f"{self._name(node.key)}: {node.shape}", *filter(None, (node.under, node.weak))]
        said += [f"may, at {self._name(link.end)}: {_brief(link)}" for link in mine]
        said += [f"{link.title or self._name(link.start)} may: {_brief(link)}" for link in others]
        more = [f"and {len(said) - LISTED} more"] if len(said) > LISTED + 1 else []
        return escape("\n".join([*(said[:LISTED] if more else said), *more]))

    def _said(self, kind: Kind) -> str:
        many = len(self.links) > DETAILED and kind == Kind.CALL
        return f"{kind}; a colour for each caller, thin from one that calls more than {MANY}" if many else str(kind)

    def _legend(self, top: float, right: float) -> tuple[list[str], float]:
        """What the shapes and the lines are, those that are there; and where it ends."""
        shapes, kinds = {node.shape for node in self.nodes.values()}, {link.kind for link in self.links}
        entries: list[tuple[str, Drawn]] = [(str(shape), _sample(shape)) for shape in Shape if shape in shapes]
        if any(node.weak for node in self.nodes.values()):
            entries.append((links.WEAK, _weak))
        rows = [entries, [(self._said(kind), _stroke(kind)) for kind in Kind if kind in kinds]]
        said: list[str] = []
        y = top
        for row in rows:
            x = 0.0
            for words, drawn in row:
                wide = 38 + LETTER * len(words) + 22
                if x and x + wide > right:
                    x, y = 0.0, y + 24
                said.append(f'{drawn(x, y - 4)}<text class="soft" x="{x + 38:g}" y="{y:g}">{escape(words)}</text>')
                x += wide
            y += 26
        return said, y - 26


def _sample(shape: Shape) -> Drawn:
    sign = ink.OUTLINES[shape][1]
    return lambda x, y: (
        strokes.outline(shape, Rect(x, y - 10, 30, 20), "box rim") + (strokes.sign(sign, x + 9, y - 6) if sign else "")
    )


def _stroke(kind: Kind) -> Drawn:
    return lambda x, y: strokes.line(ink.LINES[kind], ((x, y), (x + 10, y), (x + 20, y), (x + 30, y)))


def _weak(x: float, y: float) -> str:
    return strokes.rect(Rect(x, y - 10, 30, 20), "box rim weak", 6)


def _brief(link: Link) -> str:
    return ", ".join(link.lines) or str(link.kind)


def _words(box: Box, left: float, y: float, width: float) -> Iterator[str]:
    """Its sign, its name, what it is, and a row for each link that ends there."""
    y += box.lid
    if box.sign:
        yield strokes.sign(box.sign, left, y + 9)
    yield text(left + SIGN * bool(box.sign), y + 19.5, box.node.name, "ink", f'font-size="12.5" {STRONG}')
    for number, said in enumerate(box.under):
        yield text(left, y + 34 + LINE * number, said, "weak-f" if said == box.node.weak else "soft")
    y += box.head - box.lid
    for link in box.rows:
        if texts := box.texts(link):
            yield f'<path class="seam" d="M{left - 6:g} {y:g}h{width:g}"/>'
            for number, said in enumerate(texts):
                strong = bool(link.title) and number == 0
                style = f"{ink.LINES[link.kind].name}-f" if strong else "ink" if said in link.lines else "soft"
                yield text(left, y + PAD + LINE * number + 11, said, style, STRONG if strong else "")
        y += box.row_height(link)
