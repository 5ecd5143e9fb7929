"""What holds of every keeper of carts: the one in memory that tests use, and the one on Redis."""

from __future__ import annotations

from uuid import uuid4

import pytest

from cart.app import Keeper
from cart.store import Full
from common.limits import MAX_LINES, MAX_QUANTITY


@pytest.fixture
def cart() -> str:
    return uuid4().hex


class Laws:
    """For subclasses in modules that have a fixture `store`, and this module's `cart`."""

    def test_what_is_added_is_there_and_nobody_elses(self, store: Keeper, cart: str) -> None:
        assert store.ready()
        assert store.lines(cart) == []
        store.add(cart, "nails", 2)
        store.add(cart, "anvil", 1)
        assert store.add(cart, "nails", 3) == store.lines(cart) == [("anvil", 1), ("nails", 5)]
        assert store.lines(f"{cart}-other") == []

    def test_a_cart_takes_no_more_than_an_order_may_have(self, store: Keeper, cart: str) -> None:
        store.add(cart, "nails", MAX_QUANTITY)
        with pytest.raises(Full):
            store.add(cart, "nails", 1)
        for number in range(1, MAX_LINES):
            store.add(cart, f"item-{number}", 1)
        with pytest.raises(Full):
            store.add(cart, "one-more", 1)
        assert len(store.add(cart, "item-1", 1)) == MAX_LINES

    def test_an_order_takes_the_same_at_every_repetition(self, store: Keeper, cart: str) -> None:
        assert store.take(cart, "early") == [], "nothing is taken from an empty cart, also not for later"
        store.add(cart, "nails", 2)
        assert store.take(cart, "o-1") == [("nails", 2)]
        store.add(cart, "anvil", 1)
        assert store.take(cart, "o-1") == [("nails", 2)]
        assert store.take(cart, "o-2") == store.take(cart, "early") == [("anvil", 1), ("nails", 2)]
        assert store.take(f"{cart}-other", "o-1") == [], "an order is its user's"

    def test_what_an_order_took_leaves_the_cart_once(self, store: Keeper, cart: str) -> None:
        store.add(cart, "nails", 2)
        store.add(cart, "anvil", 1)
        store.take(cart, "o-1")
        store.add(cart, "nails", 3)
        store.clear(cart, "o-1")
        assert store.lines(cart) == [("nails", 3)], "what was added since stays"
        store.clear(cart, "o-1")
        assert store.lines(cart) == [("nails", 3)]
        assert store.take(cart, "o-1") == [("anvil", 1), ("nails", 2)], "a repetition finds it still"

    def test_an_order_that_took_nothing_clears_nothing(self, store: Keeper, cart: str) -> None:
        store.add(cart, "nails", 2)
        store.clear(cart, "never-taken")
        assert store.lines(cart) == [("nails", 2)]

    def test_without_an_order_everything_is_cleared(self, store: Keeper, cart: str) -> None:
        store.add(cart, "nails", 2)
        store.clear(cart, "")
        store.clear(cart, "")
        assert store.lines(cart) == []
