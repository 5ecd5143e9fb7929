"""The orders service, on an orderbook that its replicas share. Ready only while that answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI

from common import context, settings
from common.app import create
from common.carts import Carts
from common.client import Callee
from common.decision import Decisions
from common.events import Events, Lost
from common.log import logger
from common.model import IdempotencyKey, Identifier
from common.problem import Problem
from orders.model import Order, OrderRequest
from orders.placing import Callees, place
from orders.store import Keeper, Orderbook

PLACE, SHOW = "POST /orders", "GET /orders/{id}"
PLACED = "orders.placed"


class Publisher(Protocol):
    """To whom it is told that something happened."""

    def publish(self, subject: str, event: dict[str, Any]) -> None: ...
    def close(self) -> None: ...


def routes(callees: Callees, book: Keeper, decisions: Decisions, events: Publisher | None) -> APIRouter:
    """The operations on `book`. An order is whose token it was placed with."""
    router = APIRouter(tags=["orders"])

    @router.post("/orders", status_code=201, operation_id="placeOrder", summary="Buy something")
    def post(request: OrderRequest, idempotency_key: IdempotencyKey) -> Order:
        customer = request.customer or context.subject()
        decisions.check(PLACE, {"customer": customer, "currency": request.currency})
        if not customer:
            raise Problem(422, "nobody is logged in, and no customer is named", kind="no-customer")
        order = place(request, customer, context.own(idempotency_key), callees, book)
        if events is not None:
            _tell(events, order)
        return order

    @router.get("/orders/{id}", operation_id="getOrder", summary="One order")
    def get(id: Identifier) -> Order:
        kept = book.find(id)
        decisions.check(SHOW, _known(kept.record) | kept.owner if kept else {})
        if kept is None:
            raise Problem(404, f"there is no order {id}", kind="unknown-order")
        return kept.record

    return router


def _tell(events: Publisher, order: Order) -> None:
    """Only now, that the order is kept. It is one whether or not somebody hears of it; a repetition tells it again."""
    total = order.total
    said = {"order": order.id, "customer": order.customer, "amount": total.amount, "currency": total.currency}
    try:
        events.publish(PLACED, {**said, "correlation_id": context.correlation_id.get()})
    except Lost as lost:
        logger.warning("nobody is told of order %s: %s", order.id, lost)


def _known(order: Order) -> dict[str, Any]:
    """What a rule may ask of an order, beside whose it is."""
    return {"id": order.id, "customer": order.customer, "total": order.total.amount, "currency": order.total.currency}


def application(
    callees: Callees, book: Keeper, decisions: Decisions | None = None, events: Publisher | None = None
) -> FastAPI:
    """The service on given callees and orders; without a publisher nobody is told of orders."""

    def close() -> None:
        callees.close()
        book.close()
        if events is not None:
            events.close()

    return create(
        "orders",
        "Orders of the shop: from a cart or a list, priced at catalog, insured by cover, charged at payments.",
        routes(callees, book, decisions or Decisions(), events),
        ready=book.ready,
        close=close,
    )


def build() -> FastAPI:
    """The service as it runs: callees from the environment."""
    catalog, cover, payments = (settings.url(f"{name}_URL") for name in ("CATALOG", "COVER", "PAYMENTS"))
    callees = Callees(
        Callee("catalog", catalog),
        Callee("cover", cover),
        Callee("payments", payments, forward_token=True),  # money moves for a user: who keeps it looks, too
        Carts(settings.address("CART_ADDR")),
    )
    book = Orderbook(settings.file("ORDERBOOK_FILE"))
    events = Events.from_environment("NATS_ADDR", "orders")
    return application(callees, book, Decisions.from_environment(PLACE, SHOW), events)


def describe() -> FastAPI:
    """The service for its OpenAPI document."""
    catalog, cover, payments = (Callee(name, "http://callee") for name in ("catalog", "cover", "payments"))
    return application(Callees(catalog, cover, payments, Carts("callee:1")), Orderbook(Path("orderbook.json")))
