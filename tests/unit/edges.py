"""An estate with an edge, for tests: an API host, a host for browsers, the embedded issuer, and routes of each kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from garrison import App, Rate, claim, path
from unit.estates import DIGEST, IMAGES

API, WWW, LOGIN = "api.estate.example", "www.estate.example", "login.estate.example"


def opaque_app() -> App:
    """One whose users have opaque tokens at the API host, and another issuer's with signatures beside them."""
    app = App("estate", trust_domain="estate.example", images={**IMAGES, "edge": "registry.example/edge" + DIGEST})
    orders = app.namespace("shop").service("orders", image="registry.example/orders" + DIGEST, port=8080)
    api, users, url = app.host(API), app.users(), "https://people.example:9443/realm"
    asked: dict[str, Any] = {
        "introspect": f"{url}/introspect",
        "client": "edge",
        "client_secret": "people/introspection",
    }
    people = app.issuer(url, audience="estate", **asked)
    orders.serves("GET /orders", at=api, to=people.group("customers"))
    orders.serves("GET /of/{who}", at=api, to=people.anyone(), where=claim("client_id") == path("who"))
    orders.serves("GET /signed", at=api, to=users.anyone())
    orders.serves("GET /open", at=api, public="a test")
    return app


def edge_app(*, wider: bool = False) -> App:
    """`wider` serves one more service, and one more route of another."""
    app = App("estate", trust_domain="estate.example", images={**IMAGES, "edge": "registry.example/edge" + DIGEST})
    shop, bank = app.namespaces("shop", "bank")
    orders = shop.service("orders", image="registry.example/orders" + DIGEST, port=8080)
    document = Path(__file__).with_name("edge-catalog.json")
    catalog = shop.service("catalog", image="registry.example/catalog" + DIGEST, port=8080, openapi=document)
    payments = bank.service("payments", image="registry.example/payments" + DIGEST, port=9000)
    users = app.users()
    api, www = app.host(API), app.host(WWW, login=users)
    orders.serves("POST /orders", at=[api, www], to=users.group("customers"), rate=Rate.per_minute(30, per="user"))
    orders.serves("GET /orders/{id}", at=[api, www], to=users.anyone())
    orders.serves("GET /tenants/{tenant}/orders", at=api, to=users.anyone(), where=claim("tenant") == path("tenant"))
    orders.serves("DELETE /orders/{id}", at=api, to=users.anyone(), rate=Rate.per_hour(5, per="all"))
    orders.serves("PUT /orders/{id}", at=api, to=users.anyone(), rate=Rate.per_hour(3, per="user"))
    catalog.serves("GET /items", at=[api, www], public="the catalogue is for everybody")
    catalog.serves("GET /items/{id}", at=api, public="as above", rate=Rate.per_hour(4, per="address"))
    catalog.serves("POST /items/search", at=api, public="as above")
    orders.calls(payments, "POST /charges", token="forward")
    if wider:
        payments.serves("GET /balance", at=api, public="a test")
        orders.serves("GET /states", at=api, public="a test")
    return app
