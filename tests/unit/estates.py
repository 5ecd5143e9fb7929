"""Estates for tests: the small shop with one of everything, and random ones."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from garrison import App, Service

DIGEST = "@sha256:" + "0" * 64
IMAGES = {name: f"registry.example/{name}{DIGEST}" for name in ("envoy", "openbao", "postgres", "prober")}


def empty_app() -> App:
    return App("estate", trust_domain="estate.example", images=IMAGES)


def shop_app() -> App:
    """orders calls catalog and payments; payments has a database and a secret; audit stands alone."""
    app = empty_app()
    shop, bank = app.namespaces("shop", "bank")
    orders = shop.service("orders", image="registry.example/orders" + DIGEST, port=8080, replicas=1)
    catalog = shop.service("catalog", image="registry.example/catalog" + DIGEST, port=8080)
    payments = bank.service("payments", image="registry.example/payments" + DIGEST, port=9000)
    bank.service("audit", image="registry.example/audit" + DIGEST, port=8080)
    orders.calls(catalog, "GET /items/{id}", "GET /items")
    orders.calls(payments, "POST /charges")
    ledger = bank.postgres("ledger")
    payments.uses(ledger, role="writer")
    payments.reads("psp/api-key")
    return app


PERMISSIONS: tuple[Callable[[Service], None], ...] = (
    lambda service: service.may("get list watch", "configmaps"),
    lambda service: service.may("get patch", "configmaps", "flags", "limits"),
    lambda service: service.may("get", "pods/log"),
    lambda service: service.may("create", "leases", group="coordination.k8s.io"),
    lambda service: service.may("get update", "leases", "leader", group="coordination.k8s.io"),
    lambda service: service.may("get delete", "widgets", group="shop.example"),
)


@st.composite
def apps(draw: st.DrawFn) -> App:
    """A random estate: up to 3 namespaces, 7 services, any set of calls, some databases, secrets and permissions."""
    app = empty_app()
    namespaces = [app.namespace(f"n{i}") for i in range(draw(st.integers(1, 3)))]
    services = [
        draw(st.sampled_from(namespaces)).service(f"s{i}", image="registry.example/s" + DIGEST, port=8080 + i)
        for i in range(draw(st.integers(1, 7)))
    ]
    pairs = [(a, b) for a in services for b in services if a != b]
    for caller, callee in draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []:
        operations = draw(st.lists(st.sampled_from(["GET /a", "POST /a", "GET /a/{id}"]), min_size=1, unique=True))
        caller.calls(callee, *operations)
    for i in range(draw(st.integers(0, 2))):
        database = draw(st.sampled_from(namespaces)).postgres(f"d{i}")
        for user in draw(st.lists(st.sampled_from(services), unique=True)):
            user.uses(database, role=draw(st.sampled_from(["reader", "writer"])))
    for service in draw(st.lists(st.sampled_from(services), max_size=3)):
        draw(st.sampled_from(PERMISSIONS))(service)
    return app
