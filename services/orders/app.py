"""The orders service. Orders live in memory here; the money, which must not be lost, is at payments."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from common import settings
from common.app import create
from common.client import Callee
from common.model import IdempotencyKey, Identifier
from common.once import Once
from common.problem import Problem
from orders.model import Order, OrderRequest
from orders.placing import Callees, place


def routes(callees: Callees) -> APIRouter:
    """The operations, on a store of their own."""
    router = APIRouter(tags=["orders"])
    placed: Once[Order] = Once()
    orders: dict[str, Order] = {}

    @router.post("/orders", status_code=201, operation_id="placeOrder", summary="Buy something")
    def post(request: OrderRequest, idempotency_key: IdempotencyKey) -> Order:
        order = placed.run(idempotency_key, request, lambda: place(request, idempotency_key, callees))
        orders[order.id] = order
        return order

    @router.get("/orders/{id}", operation_id="getOrder", summary="One order")
    def get(id: Identifier) -> Order:
        if id not in orders:
            raise Problem(404, f"there is no order {id}", kind="unknown-order")
        return orders[id]

    return router


def application(callees: Callees) -> FastAPI:
    """The service on given callees."""
    return create(
        "orders",
        "Orders of the shop: priced at catalog, insured by cover, charged at payments.",
        routes(callees),
        close=callees.close,
    )


def build() -> FastAPI:
    """The service as it runs: callees from the environment."""
    names = ("catalog", "cover", "payments")
    return application(Callees(*(Callee(name, settings.url(f"{name.upper()}_URL")) for name in names)))


def describe() -> FastAPI:
    """The service for its OpenAPI document."""
    return application(Callees(*(Callee(name, "http://callee") for name in ("catalog", "cover", "payments"))))
