"""Port ranges that are every port together, for one protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from garrison_policies.language.expr import MISSING, Path, at, elements, get, present

_LAST = 65535
_EDGE = 1024  # ports that may be missing at either end: everything but a few is everything
_GAP = 16  # and in between
_PROTOCOLS = ("TCP", "UDP", "SCTP")


@dataclass(frozen=True)
class CoversAllPorts:
    """The ranges at `path` leave no more than a small gap anywhere.

    They do when one begins at the bottom, and each that ends before the top is followed by one that goes on from there.
    In order of their beginnings that is one walk (Python); CEL, which cannot sort, says it as it stands here.
    """

    path: Path

    def holds(self, it: Any, whole: Any) -> bool:
        return any(self._covered(list(self._ranges(it, protocol))) for protocol in _PROTOCOLS)

    def _ranges(self, it: Any, protocol: str) -> Iterator[tuple[int, int]]:
        for one in elements(get(it, self.path)):
            first = get(one, "port")
            last = get(one, "endPort") if get(one, "endPort") is not MISSING else first
            if _number(first) and _number(last) and one.get("protocol", "TCP") == protocol:
                yield first, last

    def _covered(self, ranges: list[tuple[int, int]]) -> bool:
        reached = 0
        for first, last in sorted(ranges):
            if first > (reached + 1 + _GAP if reached >= _EDGE else _EDGE):
                break
            reached = max(reached, last)
        return reached >= _LAST - _EDGE

    def cel(self, it: str, whole: str, depth: int = 0) -> str:
        here = at(it, self.path)
        ways = " || ".join(_covered_cel(here, protocol, f"p{depth}", f"q{depth}") for protocol in _PROTOCOLS)
        return f"({present(it, self.path)} && ({ways}))"


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _covered_cel(ports: str, protocol: str, one: str, other: str) -> str:
    def usable(it: str) -> str:
        said = f"has({it}.protocol) ? {it}.protocol == '{protocol}' : {str(protocol == 'TCP').lower()}"
        return f"has({it}.port) && type({it}.port) == int && ({said})"

    def last(it: str) -> str:
        return f"(has({it}.endPort) ? {it}.endPort : {it}.port)"

    follows = f"{usable(other)} && {other}.port <= {last(one)} + {1 + _GAP} && {last(other)} > {last(one)}"
    done = f"{last(one)} < {_EDGE} || {last(one)} >= {_LAST - _EDGE} || {ports}.exists({other}, {follows})"
    begins = f"{ports}.exists({one}, {usable(one)} && {one}.port <= {_EDGE} && {last(one)} >= {_EDGE})"
    return f"({begins} && {ports}.all({one}, !({usable(one)}) || {done}))"
