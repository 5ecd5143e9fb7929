"""The cart on loopback, its carts in memory: for whoever needs a cart and no Redis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cart.app import Keeper, served
from cart.store import Full, Lines
from common.limits import MAX_LINES, MAX_QUANTITY
from common.rpc import server

NOBODY = "127.0.0.1:1"  # where nothing listens: for whoever needs no cart at all


@dataclass
class Memory:
    """What `cart.store.Store` does; the same laws hold of both, see `unit/services/keeping.py`."""

    carts: dict[str, Counter[str]] = field(default_factory=dict)
    taken: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    cleared: set[tuple[str, str]] = field(default_factory=set)

    def ready(self) -> bool:
        return True

    def add(self, cart: str, item: str, quantity: int) -> Lines:
        kept = self.carts.setdefault(cart, Counter())
        if kept[item] + quantity > MAX_QUANTITY or len(+kept | Counter({item: 1})) > MAX_LINES:
            raise Full
        kept[item] += quantity
        return self.lines(cart)

    def lines(self, cart: str) -> Lines:
        return _lines(self.carts.get(cart, Counter()))

    def take(self, cart: str, order: str) -> Lines:
        if (cart, order) not in self.taken and self.lines(cart):
            self.taken[cart, order] = Counter(self.carts[cart])
        return _lines(self.taken.get((cart, order), Counter()))

    def clear(self, cart: str, order: str) -> None:
        if not order:
            self.carts.pop(cart, None)
        elif (cart, order) not in self.cleared:
            self.cleared.add((cart, order))
            self.carts[cart] = self.carts.get(cart, Counter()) - self.taken.get((cart, order), Counter())

    def close(self) -> None:
        pass


def _lines(kept: Counter[str]) -> Lines:
    return sorted((+kept).items())


@contextmanager
def running(store: Keeper) -> Iterator[str]:
    """The address of a cart on `store`."""
    made, port = server(served(store), "127.0.0.1:0")
    made.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        made.stop(None).wait()
