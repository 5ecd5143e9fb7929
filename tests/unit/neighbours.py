"""Two Apps of two repositories on one cluster: the shop's orders charges at the bank's payments."""

from __future__ import annotations

from garrison import App, Graph
from unit.estates import DIGEST, IMAGES

ORDERS, PAYMENTS = "shop/orders", "bank/payments"


def shop(bank: Graph | None = None, *operations: str) -> App:
    """With a bank, what orders says of it."""
    app = App("shop", trust_domain="estate.example", images=IMAGES)
    home = app.namespace("shop")
    orders = home.service("orders", image="registry.example/orders" + DIGEST, port=8080, replicas=1)
    catalog = home.service("catalog", image="registry.example/catalog" + DIGEST, port=8080, replicas=1)
    orders.calls(catalog, "GET /items/{id}")
    if bank:
        payments = app.elsewhere(bank).service(PAYMENTS)
        orders.calls(payments, *(operations or ("POST /charges",)))
    return app


def bank(shop: Graph | None = None, *operations: str) -> App:
    """With a shop, what it lets orders do."""
    app = App("bank", trust_domain="estate.example", images=IMAGES)
    home = app.namespace("bank")
    payments = home.service("payments", image="registry.example/payments" + DIGEST, port=8080, replicas=1)
    audit = home.service("audit", image="registry.example/audit" + DIGEST, port=8080, replicas=1)
    audit.calls(payments, "GET /charges")
    if shop:
        app.elsewhere(shop).service(ORDERS).calls(payments, *(operations or ("POST /charges",)))
    return app


def alone() -> tuple[Graph, Graph]:
    """Both before they know of each other."""
    return shop().graph(), bank().graph()


def together() -> tuple[Graph, Graph]:
    """Both halves, said in the order in which they can be: the callee's first."""
    admitting = bank(shop().graph()).graph()
    return shop(admitting).graph(), admitting
