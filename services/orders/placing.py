"""Placing an order: decide what it takes and costs, charge it, record it; only then does it exist.

Without items of its own it takes what is in the user's cart, by its id: the same at every repetition, so that this is
as good as a request that names them. They leave the cart once it is recorded.

What was decided is kept before the charge, and the charge's key follows from the order's: a repetition after any
failure charges the same amount under the same key, whatever the prices are by then, and so finds the first charge
instead of making a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from common import context
from common.carts import Carts
from common.client import Callee, Refused
from common.ids import derived_id
from common.log import logger
from common.model import MAX_AMOUNT, Money
from common.once import Kept
from common.problem import Problem
from orders.model import (
    Charge,
    ChargeRequest,
    Decided,
    Item,
    Line,
    Order,
    OrderRequest,
    PricedLine,
    Quote,
    QuoteRequest,
)
from orders.store import Keeper


@dataclass(frozen=True)
class Callees:
    """The services an order needs."""

    catalog: Callee
    cover: Callee
    payments: Callee
    cart: Carts

    def close(self) -> None:
        """Let go of every connection."""
        for callee in (self.catalog, self.cover, self.payments, self.cart):
            callee.close()


def place(request: OrderRequest, customer: str, key: str, callees: Callees, book: Keeper) -> Order:
    """The order, paid for and kept; or a Problem, and the same request goes on where this one ended."""
    id = derived_id("order", key)
    decided = book.begun(key, request)
    if decided is None:
        decided = book.begin(key, request, _decide(id, request, customer, callees))
    before = book.find(id)
    order = before.record if before else _pay(id, key, decided, callees, book)
    if decided.from_cart:
        _clear_cart(id, callees)
    return order


def _decide(id: str, request: OrderRequest, customer: str, callees: Callees) -> Decided:
    wanted = request.items or _from_cart(id, callees)
    if len({line.id for line in wanted}) < len(wanted):
        raise Problem(422, "an item is named twice; use its quantity", kind="repeated-item")
    lines = [_priced(line.id, line.quantity, request.currency, callees) for line in wanted]
    goods = _money(sum(line.price.amount * line.quantity for line in lines), request.currency)
    quote = _quote(id, goods, callees)
    total = _money(goods.amount + quote.premium.amount, request.currency)
    return Decided(
        customer=customer,
        items=lines,
        goods=goods,
        premium=quote.premium,
        total=total,
        quote_id=quote.id,
        from_cart=not request.items,
    )


def _pay(id: str, key: str, decided: Decided, callees: Callees, book: Keeper) -> Order:
    charge = _charge(id, decided.total, callees)
    order = Order(id=id, charge_id=charge.id, **dict(decided.model_dump(exclude={"from_cart"})))
    return book.record(key, Kept(order, context.owner()))


def _money(amount: int, currency: str) -> Money:
    if amount > MAX_AMOUNT:
        raise Problem(422, "the order is worth more than one order may be", kind="too-large")
    return Money(amount=amount, currency=currency)


def _from_cart(id: str, callees: Callees) -> list[Line]:
    try:
        lines = callees.cart.lines(order=id)
    except Refused as refused:
        raise _odd("cart", refused) from None
    if not lines:
        raise Problem(422, "no items are named, and the cart is empty", kind="empty-cart")
    return [Line(id=item, quantity=quantity) for item, quantity in lines]


def _clear_cart(id: str, callees: Callees) -> None:
    """A paid order is an order, whatever becomes of the cart: at worst it still shows what was bought."""
    try:
        callees.cart.clear(order=id)
    except (Problem, Refused) as failed:
        logger.warning("the cart keeps what order %s took: %s", id, failed)


def _priced(id: str, quantity: int, currency: str, callees: Callees) -> PricedLine:
    try:
        item = callees.catalog.get(f"/items/{id}", Item)
    except Refused as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            raise Problem(422, f"there is no item {id}", kind="unknown-item") from None
        raise _odd("catalog", refused) from None
    if item.price.currency != currency:
        raise Problem(422, f"{id} is not sold in {currency}", kind="wrong-currency")
    return PricedLine(id=id, quantity=quantity, price=item.price)


def _quote(id: str, goods: Money, callees: Callees) -> Quote:
    try:
        quote = callees.cover.post("/quotes", QuoteRequest(reference=id, value=goods), Quote)
    except Refused as refused:
        raise _odd("cover", refused) from None
    if quote.premium.currency != goods.currency:
        raise Problem(502, "cover quoted in another currency", kind="callee-failed")
    return quote


def _charge(id: str, total: Money, callees: Callees) -> Charge:
    try:
        charge = callees.payments.post("/charges", ChargeRequest(reference=id, amount=total), Charge, key=f"order-{id}")
    except Refused as refused:
        if refused.status in {HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}:
            raise Problem(409, f"not charged: {refused.detail}", kind="not-charged") from None
        raise _odd("payments", refused) from None
    if charge.amount != total:
        raise Problem(502, "payments charged another amount", kind="callee-failed")
    return charge


def _odd(callee: str, refused: Refused) -> Problem:
    return Problem(502, f"{callee} answered with {refused.status}", kind="callee-failed")
