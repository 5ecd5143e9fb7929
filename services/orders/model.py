"""What the orders service takes and gives, and what it understands of its callees' answers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from common.limits import MAX_LINES, MAX_QUANTITY
from common.model import Closed, Currency, Identifier, Money, Whole


class Line(Closed):
    """How many of an item."""

    id: Identifier
    quantity: Annotated[int, Field(strict=True, ge=1, le=MAX_QUANTITY), Whole]


class OrderRequest(Closed):
    """What a customer wants; prices are the catalog's, so none is given here."""

    customer: Annotated[Identifier | None, Field(description="left out, it is who is logged in")] = None
    items: Annotated[
        list[Line] | None,
        Field(min_length=1, max_length=MAX_LINES, description="left out, it is what is in the user's cart"),
    ] = None
    currency: Currency = "EUR"


class PricedLine(Closed):
    """A line with the price of one piece at the time of the order."""

    id: str
    quantity: int
    price: Money


class Decided(Closed):
    """What an order takes and costs, as it is from the first time that it was asked for."""

    customer: str
    items: list[PricedLine]
    goods: Money
    premium: Money
    total: Money
    quote_id: str
    from_cart: bool


class Order(Closed):
    """A paid order."""

    id: str
    customer: str
    items: list[PricedLine]
    goods: Money
    premium: Money
    total: Money
    quote_id: str
    charge_id: str


class Item(BaseModel):
    """Catalog's answer, as far as it matters here."""

    id: str
    price: Money


class QuoteRequest(Closed):
    """What cover is asked."""

    reference: str
    value: Money


class Quote(BaseModel):
    """Cover's answer."""

    id: str
    premium: Money


class ChargeRequest(Closed):
    """What payments is asked."""

    reference: str
    amount: Money


class Charge(BaseModel):
    """Payments' answer."""

    id: str
    amount: Money
