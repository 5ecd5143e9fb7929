"""What stands in each box of a picture, how large that makes it, and what hangs below which box."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from garrison.explain import ink
from garrison.explain.links import Link, Node, Shape

DETAILED: Final = 40  # lines up to which each box says what it is asked for
HEAD, SMALL, LINE, PAD = 42, 30, 15, 7  # heads of a box with and without details; a line of text; around a row
HANG, BELOW, NARROW = 20, 6, 112  # of what hangs below a box: how far in, how far below; the narrowest box
LETTER, NAME, MOST = 6.2, 7.6, 46  # width of a small letter and of a name's; how many letters a line has at most
LEFT: Final = 14  # from the left edge of a box to its texts
LID: Final = 7
SIGN: Final = 17  # what a sign takes before a name
HUNG: Final = (Shape.DATABASE, Shape.TCP, Shape.SECRET)  # what hangs below the one service that has it


@dataclass(frozen=True)
class Box:
    """A part, a row for each link that ends there, and what hangs below it.

    detailed: the rows are drawn. least: the width it has at least.
    """

    node: Node
    rows: tuple[Link, ...]
    detailed: bool
    hung: tuple[Box, ...] = ()
    least: int = NARROW

    @property
    def sign(self) -> str:
        return ink.OUTLINES[self.node.shape][1]

    @property
    def under(self) -> list[str]:
        """What is said below its name."""
        return [text for text in (self.node.under, self.node.weak) if text] if self.detailed else []

    @property
    def lid(self) -> int:
        """What the outline takes above the name."""
        return LID if ink.OUTLINES[self.node.shape][0] == "drum" else 0

    @property
    def head(self) -> int:
        return self.lid + (HEAD + LINE * (len(self.under) - 1) if self.under else SMALL)

    @cached_property
    def height(self) -> int:
        """Of the part alone."""
        return self.head + sum(map(self.row_height, self.rows))

    @cached_property
    def width(self) -> int:
        """As wide as its widest text, and as what hangs below."""
        texts = [*self.under, *(text for link in self.rows for text in self.texts(link))]
        name = NAME * len(cut(self.node.name)) + SIGN * bool(self.sign)
        own = 2 * LEFT + 4 + max(name, *(LETTER * len(cut(text)) for text in texts), 0)
        return int(max(own, self.least, NARROW, *(HANG + box.width for box in self.hung)))

    @property
    def heights(self) -> tuple[int, ...]:
        """What the layout is told: the head, the rows, and what hangs below."""
        hung = sum(BELOW + box.height for box in self.hung)
        return tuple(filter(None, (self.head, *map(self.row_height, self.rows), hung)))

    def end(self, row: int) -> int:
        """Where among the `heights` the link of that row ends: at the head, where nothing is said of it."""
        said = [bool(self.row_height(link)) for link in self.rows[: row + 1]]
        return sum(said) if said[-1] else 0

    def row_height(self, link: Link) -> int:
        texts = self.texts(link)
        return LINE * len(texts) + PAD * 2 if texts else 0

    def texts(self, link: Link) -> tuple[str, ...]:
        """Who, then what and on which terms."""
        return tuple(filter(None, (link.title, *link.lines, *link.fine))) if self.detailed else ()


def boxes(parts: Mapping[str, Node], drawn: Sequence[Link]) -> dict[str, Box]:
    """The boxes in the order of the parts, their rows in the order of who calls."""
    order = {key: number for number, key in enumerate(parts)}
    rows: dict[str, list[Link]] = {key: [] for key in parts}
    for link in sorted(drawn, key=lambda link: order[link.start]):
        rows[link.end].append(link)
    starts = Counter(link.start for link in drawn)
    found: dict[str, Box] = {}
    hung: dict[str, list[Box]] = {}
    for key, node in parts.items():
        box = Box(node, tuple(rows[key]), len(drawn) <= DETAILED)
        owner = box.rows[0].start if len(box.rows) == 1 and not starts[key] and node.shape in HUNG else ""
        if owner and node.namespace and node.namespace == parts[owner].namespace:
            hung.setdefault(owner, []).append(replace(box, rows=(replace(box.rows[0], title=""),)))
        else:
            found[key] = box
    whole = {key: replace(box, hung=tuple(hung.get(key, ()))) for key, box in found.items()}
    least = 0 if len(drawn) <= DETAILED else max(box.width for box in whole.values())
    return {key: replace(box, least=least) for key, box in whole.items()}  # of one width where they have names only


def cut(text: str) -> str:
    """A text as long as a line may be."""
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"
