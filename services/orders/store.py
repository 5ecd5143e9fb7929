"""The orderbook: what was decided for each request, and the orders that came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from common import once
from common.once import Kept
from common.pool import Connection, Store
from orders.model import Decided, Order, OrderRequest

KEPT = "customer, currency, goods, premium, total, quote_id, charge_id, issuer, subject"


class Keeper(Protocol):
    """Where orders are kept; a Problem while that is away."""

    def begun(self, key: str, request: OrderRequest) -> Decided | None: ...
    def begin(self, key: str, request: OrderRequest, decided: Decided) -> Decided: ...
    def record(self, key: str, kept: Kept[Order]) -> Order: ...
    def find(self, id: str, /) -> Kept[Order] | None: ...
    def ready(self) -> None: ...
    def close(self) -> None: ...


class Orderbook(Store):
    """Orders in PostgreSQL; each method is one transaction."""

    def __init__(self, credentials: Path) -> None:
        super().__init__(credentials, schema="orderbook", service="orders", table="placed")

    def begun(self, key: str, request: OrderRequest) -> Decided | None:
        """What was decided when this request first came; a Problem where the key was another request's."""
        return self.pool.run(lambda connection: once.begun(connection, key, request, Decided))

    def begin(self, key: str, request: OrderRequest, decided: Decided) -> Decided:
        """What holds for this request from now on: the first that was decided."""
        return self.pool.run(lambda connection: once.begin(connection, key, request, decided))

    def record(self, key: str, kept: Kept[Order]) -> Order:
        """Keep a paid order, once; the one that is kept."""
        return self.pool.run(lambda connection: _record(connection, key, kept))

    def find(self, id: str) -> Kept[Order] | None:
        """One order, None where there is none."""
        return self.pool.run(lambda connection: _find(connection, id))


def _record(connection: Connection, key: str, kept: Kept[Order]) -> Order:
    order, owner = kept.record, kept.owner
    # A second who records it waits here for the first to commit, and adds nothing.
    added = connection.execute(
        "INSERT INTO placed (id, key, issuer, subject, customer, currency, goods, premium, quote_id, charge_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING RETURNING id",
        [
            *(order.id, key, owner.get("issuer"), owner.get("subject"), order.customer, order.total.currency),
            *(order.goods.amount, order.premium.amount, order.quote_id, order.charge_id),
        ],
    ).fetchone()
    if added is None:
        before = _find(connection, order.id)
        return before.record if before else order
    connection.cursor().executemany(
        "INSERT INTO line (order_id, number, item_id, quantity, price) VALUES (%s, %s, %s, %s, %s)",
        [(order.id, number, line.id, line.quantity, line.price.amount) for number, line in enumerate(order.items, 1)],
    )
    return order


def _find(connection: Connection, id: str) -> Kept[Order] | None:
    row = connection.execute(f"SELECT {KEPT} FROM placed WHERE id = %s", [id]).fetchone()  # noqa: S608 ours
    if row is None:
        return None
    customer, currency, goods, premium, total, quote_id, charge_id, issuer, subject = row
    lines = connection.execute(
        "SELECT item_id, quantity, price FROM line WHERE order_id = %s ORDER BY number", [id]
    ).fetchall()

    def money(amount: object) -> dict[str, object]:
        return {"amount": amount, "currency": currency}

    order = Order.model_validate(
        {
            "id": id,
            "customer": customer,
            "quote_id": quote_id,
            "charge_id": charge_id,
            "goods": money(goods),
            "premium": money(premium),
            "total": money(total),
            "items": [{"id": item, "quantity": quantity, "price": money(price)} for item, quantity, price in lines],
        }
    )
    return once.kept(order, issuer, subject)
