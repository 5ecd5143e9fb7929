"""The catalog service: a fixed, read-only list in memory, the same in every replica."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, FastAPI, Path, Query

from common.app import create
from common.model import Closed, Money
from common.problem import Problem


class Item(Closed):
    """One thing to buy."""

    id: str
    name: str
    price: Money


class Items(Closed):
    """A page of the catalog, in the order of the ids."""

    items: list[Item]


def _item(id: str, name: str, amount: int, currency: str = "EUR") -> Item:
    return Item(id=id, name=name, price=Money(amount=amount, currency=currency))


ITEMS = {
    item.id: item
    for item in (
        _item("anvil", "Anvil, 50 kg", 18_900),
        _item("bellows", "Bellows, double chamber", 24_550),
        _item("hammer", "Hammer, 1 kg", 2_495),
        _item("lantern", "Lantern, brass", 3_999, "USD"),
        _item("nails", "Nails, a hundred", 1_250),
        _item("tongs", "Tongs, flat jaw", 3_100),
    )
}
router = APIRouter(tags=["catalog"])


@router.get("/items", operation_id="listItems", summary="What there is to buy")
def items(limit: Annotated[int, Query(ge=1, le=100)] = 50) -> Items:
    return Items(items=[ITEMS[id] for id in sorted(ITEMS)][:limit])


@router.get("/items/{id}", operation_id="getItem", summary="One item and its price")
def item(id: Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]) -> Item:
    if id not in ITEMS:
        raise Problem(404, f"there is no item {id}", kind="unknown-item")
    return ITEMS[id]


def describe() -> FastAPI:
    """The service; it needs no settings."""
    return create("catalog", "What the shop sells.", router)


build = describe
