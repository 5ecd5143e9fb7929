"""Where the parts of a picture lie: columns by the longest way, in which lines meet no box and texts no line.

A link over several columns gets a lane of its own in each of them; one that leads back goes below everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Pair = tuple[str, str]
LANE, GAP, SWEEPS = 10, 26, 12
ENOUGH = 60_000  # places settled in all; a picture with more is not looked at whole


@dataclass
class Spot:
    """A box, or a lane of one link (`lane`), in a column; `top` is its upper edge."""

    key: str
    height: float
    lane: bool = False
    top: float = 0
    before: list[tuple[Spot, float]] = field(default_factory=list)  # with where the link ends, from the spot's top
    after: list[tuple[Spot, float]] = field(default_factory=list)

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


def backward(keys: Sequence[str], pairs: Sequence[Pair]) -> set[Pair]:
    """The links that close a circle, found from who nobody calls; without them there is none."""
    after: dict[str, list[str]] = {key: [] for key in keys}
    for start, end in pairs:
        after[start].append(end)
    called = {end for _, end in pairs}
    found: set[Pair] = set()
    done: set[str] = set()
    for root in sorted(keys, key=lambda key: key in called):
        way: list[str] = []  # an own stack: a chain of a thousand services is no recursion
        stack = [(root, iter(after[root]))] if root not in done else []
        way += [root] * len(stack)
        while stack:
            key, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                stack.pop()
                done.add(way.pop())
            elif following in way:
                found.add((key, following))
            elif following not in done:
                way.append(following)
                stack.append((following, iter(after[following])))
    return found


def columns(keys: Sequence[str], pairs: Sequence[Pair]) -> dict[str, int]:
    """The longest way to each from who nobody calls; `pairs` has no circle."""
    after: dict[str, list[str]] = {key: [] for key in keys}
    waits = dict.fromkeys(keys, 0)
    for start, end in pairs:
        after[start].append(end)
        waits[end] += 1
    found = dict.fromkeys(keys, 0)
    ready = [key for key in keys if not waits[key]]
    for key in ready:  # grows while it is walked
        for end in after[key]:
            found[end] = max(found[end], found[key] + 1)
            waits[end] -= 1
            if not waits[end]:
                ready.append(end)
    return found


def spots(
    heights: Mapping[str, float], ends: Sequence[tuple[str, str, float]], column: Mapping[str, int]
) -> tuple[list[list[Spot]], list[list[Spot]]]:
    """The columns in order and in place, and each link's way through them: its start, its lanes, its end.

    `ends` has each link's start, end, and where it ends below the upper edge of that box.
    """
    boxes = {key: Spot(key, height) for key, height in heights.items()}
    found: list[list[Spot]] = [[] for _ in range(max(column.values(), default=0) + 1)]
    for key, spot in boxes.items():
        found[column[key]].append(spot)
    ways = []
    for number, (start, end, offset) in enumerate(ends):
        lanes = [Spot(f"{number}", LANE, lane=True) for _ in range(column[start] + 1, column[end])]
        for place, lane in enumerate(lanes, column[start] + 1):
            found[place].append(lane)
        way = [boxes[start], *lanes, boxes[end]]
        for one, other in pairwise(way):
            one.after.append((other, offset if other is boxes[end] else LANE / 2))
            other.before.append((one, offset if other is boxes[end] else LANE / 2))
        ways.append(way)
    for _ in range(max(1, min(SWEEPS, ENOUGH // max(1, sum(map(len, found)))))):
        for spots_ in (*found, *reversed(found)):
            _order(spots_)
            _settle(spots_)
    highest = min((spot.top for spots_ in found for spot in spots_), default=0)
    for spot in (spot for spots_ in found for spot in spots_):
        spot.top -= highest
    return found, ways


def _wish(spot: Spot) -> float:
    """The upper edge with which the links of this spot would be as level as they can be."""
    wanted = [other.middle - offset for other, offset in spot.before]
    wanted += [other.top + offset - spot.height / 2 for other, offset in spot.after]
    return sum(wanted) / len(wanted) if wanted else spot.top


def _order(column: list[Spot]) -> None:
    column.sort(key=lambda spot: _wish(spot) + spot.height / 2)


def _settle(column: list[Spot]) -> None:
    """As near to what each wishes as the order and the gaps let it: neighbours that would overlap move together."""
    groups: list[tuple[float, list[Spot], float]] = []  # upper edge, who, height with gaps
    for spot in column:
        groups.append((_wish(spot), [spot], spot.height))
        while len(groups) > 1 and groups[-2][0] + groups[-2][2] + GAP > groups[-1][0]:
            (top, above, height), (below_top, below, more) = groups[-2:]
            joined = (top * len(above) + (below_top - height - GAP) * len(below)) / (len(above) + len(below))
            groups[-2:] = [(joined, above + below, height + GAP + more)]
    for top, members, _ in groups:
        for spot in members:
            spot.top = top
            top += spot.height + GAP
