"""The graph as SVG, without any tool: every text stands in a box, and no line crosses a box."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from garrison.explain import layout
from garrison.explain.layout import Spot
from garrison.explain.links import Kind, Link, Node, links, nodes
from garrison.model.graph import Graph

EDGE, SPACE, HEAD, LINE, PAD = 24, 96, 46, 15, 7  # around all, between columns; in a box: head, line, around a row
LETTER, MOST, NAME = 6.2, 42, 1.3  # width of a small letter, how many a line has at most, a name's against that
BACK = 16  # between links that lead back
NAMES = {Kind.WAY_IN: "way", Kind.PUBLIC: "open", Kind.TOKEN: "user", Kind.CALL: "call", Kind.LEASE: "lease"}
NAMES |= {Kind.RIGHT: "right"}
DASHES = {"open": "7 4", "lease": "2 3", "right": "2 3"}
# name: ink in the light, ink in the dark
INKS = {
    "way": ("#64748b", "#94a3b8"),
    "open": ("#15803d", "#4ade80"),
    "user": ("#7c3aed", "#c4b5fd"),
    "call": ("#334155", "#cbd5e1"),
    "lease": ("#b45309", "#fbbf24"),
    "right": ("#64748b", "#94a3b8"),
}
FILLS = (
    ("#dbeafe", "#1e3a5f"),
    ("#dcfce7", "#14432a"),
    ("#fef3c7", "#4a3510"),
    ("#fce7f3", "#4d1d3a"),
    ("#ede9fe", "#352a5e"),
    ("#e2e8f0", "#334155"),
)
PLAIN = {
    "paper": ("#ffffff", "#0f172a"),
    "box": ("#f8fafc", "#1e293b"),
    "rim": ("#94a3b8", "#64748b"),
    "ink": ("#0f172a", "#f1f5f9"),
    "soft": ("#475569", "#b6c2d2"),
}


@dataclass(frozen=True)
class Box:
    """A part, with a row for each link that ends there."""

    node: Node
    rows: tuple[Link, ...]

    def offset(self, row: int) -> float:
        """Where the link of that row ends, below the upper edge."""
        above = sum(_row_height(link) for link in self.rows[:row])
        return HEAD + above + min(_row_height(self.rows[row]) / 2, PAD + LINE / 2)

    @property
    def height(self) -> float:
        return (
            HEAD + sum(map(_row_height, self.rows)) + (len(self.node.notes) * LINE + PAD * 1.5) * bool(self.node.notes)
        )

    @property
    def width(self) -> float:
        texts = [*self.node.notes, self.node.under, *(text for link in self.rows for text in _texts(link))]
        return 30 + LETTER * max(14, NAME * len(_cut(self.node.name)), *(len(_cut(text)) for text in texts))


def svg(graph: Graph) -> str:
    """Hosts at the left, who is called right of who calls; light or dark as the reader's system is."""
    boxes, back = _boxes(graph)
    ahead = [link for box in boxes.values() for link in box.rows if link not in back]
    column = layout.columns([*boxes], [(link.start, link.end) for link in ahead])
    ends = [(link.start, link.end, boxes[link.end].offset(boxes[link.end].rows.index(link))) for link in ahead]
    found, ways = layout.spots({key: box.height for key, box in boxes.items()}, ends, column)
    widths = [max((boxes[s.key].width for s in spots if not s.lane), default=0) for spots in found]
    aside = SPACE / 2 if back else 0  # for lines outside of the first and the last column
    lefts = [EDGE + aside + sum(widths[:number]) + SPACE * number for number in range(len(widths))]
    place = {spot.key: spot for spots in found for spot in spots if not spot.lane}
    top = EDGE + 30
    bottom = top + max((spot.top + spot.height for spots in found for spot in spots), default=0)
    drawn = _Drawn(boxes, column, place, lefts, widths, top)
    width = max([lefts[-1] + widths[-1] + aside, 420]) + EDGE
    legend, height = _legend(boxes, bottom + BACK * (len(back) + 1) + 24, width - EDGE)
    title = escape(f"{graph.name}: who may call whom")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" font-family="system-ui, sans-serif" font-size="11" role="img" aria-label="{title}">',
        f"<title>{title}</title>",
        f"<style>{_style()}</style>",
        *_markers(),
        '<rect class="paper" width="100%" height="100%"/>',
        f'<text class="ink" x="{EDGE}" y="{EDGE + 8}" font-size="16" font-weight="600">{title}</text>',
        *drawn.ahead(ahead, ways),
        *drawn.back(back, bottom),
        *drawn.boxes(),
        *legend,
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _boxes(graph: Graph) -> tuple[dict[str, Box], list[Link]]:
    """The boxes, their rows in the order of who calls; and the links that lead back."""
    parts, drawn = [*nodes(graph)], [*links(graph)]
    order = {node.key: number for number, node in enumerate(parts)}
    pairs = sorted({(link.start, link.end) for link in drawn}, key=lambda pair: (order[pair[0]], order[pair[1]]))
    turned = layout.backward([*order], pairs)
    rows: dict[str, list[Link]] = {key: [] for key in order}
    for link in sorted(drawn, key=lambda link: order[link.start]):
        rows[link.end].append(link)
    boxes = {node.key: Box(node, tuple(rows[node.key])) for node in parts}
    return boxes, [link for link in drawn if (link.start, link.end) in turned]


@dataclass(frozen=True)
class _Drawn:
    """The parts in their places."""

    parts: dict[str, Box]
    column: dict[str, int]
    place: dict[str, Spot]
    lefts: Sequence[float]
    widths: Sequence[float]
    top: float

    def ahead(self, drawn: Sequence[Link], ways: Sequence[Sequence[Spot]]) -> Iterator[str]:
        """Curves between columns, level in the lanes of the columns that a link passes."""
        starts = self._starts(drawn, ways)
        for number, (link, way) in enumerate(zip(drawn, ways, strict=True)):
            first = self.column[link.start]
            x, y = self.lefts[first] + self.widths[first], starts[number]
            path = f"M{x:g} {y:g}"
            for place, spot in enumerate(way[1:], first + 1):
                to, at = self.lefts[place], self._end(link) if not spot.lane else self.top + spot.middle
                path += f" C{(x + to) / 2:g} {y:g} {(x + to) / 2:g} {at:g} {to:g} {at:g}"
                x, y = to, at
                if spot.lane:
                    x += self.widths[place]
                    path += f" H{x:g}"
            yield _line(link, path)

    def _starts(self, drawn: Sequence[Link], ways: Sequence[Sequence[Spot]]) -> dict[int, float]:
        """Where each link leaves its box: in the order of where it goes, so that they do not cross at once."""
        leaving: dict[str, list[int]] = {}
        for number, link in enumerate(drawn):
            leaving.setdefault(link.start, []).append(number)
        found = {}
        for key, numbers in leaving.items():
            spot = self.place[key]
            following = {n: ways[n][1].middle + self.top if ways[n][1].lane else self._end(drawn[n]) for n in numbers}
            step = min(18, (spot.height - 16) / len(numbers))
            first = self.top + spot.middle - step * (len(numbers) - 1) / 2
            for place, number in enumerate(sorted(numbers, key=lambda n: following[n])):
                found[number] = first + step * place
        return found

    def _end(self, link: Link) -> float:
        box = self.parts[link.end]
        return self.top + self.place[link.end].top + box.offset(box.rows.index(link))

    def back(self, drawn: Sequence[Link], bottom: float) -> Iterator[str]:
        """Out at the right, below everything, and up again before the box where it ends."""
        for number, link in enumerate(drawn):
            start, end, aside = self.column[link.start], self.column[link.end], SPACE * 0.12 + 5 * (number % 4)
            spot = self.place[link.start]
            out, down = self.lefts[start] + self.widths[start], bottom + BACK * (number + 1)
            corners = f"M{out:g} {self.top + spot.top + 16 + 4 * (number % 4):g} H{out + aside:g} V{down:g}"
            yield _line(link, f"{corners} H{self.lefts[end] - aside - 10:g} V{self._end(link):g} H{self.lefts[end]:g}")

    def boxes(self) -> Iterator[str]:
        """Each with its name, its rows and its notes."""
        namespaces = sorted({box.node.namespace for box in self.parts.values()} - {""})
        for key, box in self.parts.items():
            number = self.column[key]
            left, top, width = self.lefts[number], self.top + self.place[key].top, self.widths[number]
            space = box.node.namespace
            fill = f"n{namespaces.index(space) % len(FILLS)}" if space else "box"
            yield from _box(box, left, top, width, fill)


def _box(box: Box, left: float, top: float, width: float, fill: str) -> Iterator[str]:
    node, round_ = box.node, {"database": 16, "host": 16, "issuer": 16}.get(box.node.shape, 7)
    yield (
        f'<rect class="{fill} rim" x="{left:g}" y="{top:g}" width="{width:g}" height="{box.height:g}" rx="{round_}"/>'
        + _text(left + 14, top + 20, node.name, "ink", 'font-size="13" font-weight="600"')
        + _text(left + 14, top + 36, node.under, "soft")
    )
    y = top + HEAD
    for row in box.rows:
        if texts := _texts(row):
            name = NAMES[row.kind]
            bar = f'x="{left:g}" y="{y + PAD - 3:g}" width="4" height="{LINE * len(texts) + 4}"'
            yield f'<path class="seam" d="M{left + 8:g} {y:g}H{left + width - 8:g}"/><rect class="{name}-fill" {bar}/>'
            for number, text in enumerate(texts):
                style = f"{name}-fill" if row.title and number == 0 else "ink" if text in row.lines else "soft"
                strong = 'font-weight="600"' if style.endswith("-fill") else ""
                yield _text(left + 14, y + PAD + LINE * number + 11, text, style, strong)
        y += _row_height(row)
    if node.notes:
        yield f'<path class="seam" d="M{left + 8:g} {y:g}H{left + width - 8:g}"/>'
        for number, note in enumerate(node.notes):
            yield _text(left + 14, y + PAD + LINE * number + 9, note, "soft")


def _texts(link: Link) -> tuple[str, ...]:
    return tuple(filter(None, (link.title, *link.lines, *link.fine)))


def _row_height(link: Link) -> float:
    return LINE * len(_texts(link)) + PAD * 2 if _texts(link) else 20


def _cut(text: str) -> str:
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"


def _text(x: float, y: float, text: str, style: str, more: str = "") -> str:
    said = escape(_cut(text))
    whole = f"<title>{escape(text)}</title>" if _cut(text) != text else ""
    return f'<text class="{style}" x="{x:g}" y="{y:g}"{" " * bool(more)}{more}>{whole}{said}</text>'


def _line(link: Link, path: str) -> str:
    name = NAMES[link.kind]
    return f'<path class="{name}" d="{path}" marker-end="url(#{name})"/>'


def _markers() -> Iterator[str]:
    for name in INKS:
        yield (
            f'<marker id="{name}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            f'<path class="{name}-fill" d="M0 0 8 4 0 8z"/></marker>'
        )


def _legend(boxes: dict[str, Box], top: float, right: float) -> tuple[list[str], float]:
    """What the lines are, as many in a row as there is room for; and where it ends."""
    used = {link.kind for box in boxes.values() for link in box.rows}
    said, x, y = [], float(EDGE), top
    for kind in (kind for kind in Kind if kind in used):
        width = 42 + LETTER * 0.85 * len(kind) + 28
        if x > EDGE and x + width > right:
            x, y = float(EDGE), y + 22
        line = f'<path class="{NAMES[kind]}" d="M{x:g} {y - 4:g}h34" marker-end="url(#{NAMES[kind]})"/>'
        said.append(line + f'<text class="soft" x="{x + 42:g}" y="{y:g}">{escape(kind)}</text>')
        x += width
    return said, y + EDGE


def _style() -> str:
    """Light, and for a reader whose system is dark the same in the dark."""
    shapes = "".join(f".{name}{{stroke-dasharray:{dash}}}" for name, dash in DASHES.items())
    lines = ",".join(f".{name}" for name in INKS)
    fixed = f"{lines}{{fill:none;stroke-width:1.5}}.rim,.seam{{stroke-width:1}}.seam{{fill:none;opacity:.5}}{shapes}"
    return f"{fixed}{_colours(0)}@media(prefers-color-scheme:dark){{{_colours(1)}}}"


def _colours(dark: int) -> str:
    said = [f".{name}{{stroke:{ink[dark]}}}.{name}-fill{{fill:{ink[dark]}}}" for name, ink in INKS.items()]
    said += [f".n{number}{{fill:{fill[dark]}}}" for number, fill in enumerate(FILLS)]
    said += [f".{name}{{fill:{PLAIN[name][dark]}}}" for name in ("paper", "box", "ink", "soft")]
    return "".join([*said, f".rim,.seam{{stroke:{PLAIN['rim'][dark]}}}"])
