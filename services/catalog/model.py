"""What the catalog service gives."""

from __future__ import annotations

from common.model import Closed, Money


class Item(Closed):
    """One thing to buy."""

    id: str
    name: str
    price: Money


class Items(Closed):
    """A page of the catalog, in the order of the ids."""

    items: list[Item]
