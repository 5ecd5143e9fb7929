"""An estate with an edge for tests: every kind of host, route and issuer, small."""

from __future__ import annotations

from garrison import App, Rate, claim, path
from unit.estates import DIGEST, IMAGES

API, WWW, DESK, LOGIN = "api.estate.example", "www.estate.example", "desk.estate.example", "login.estate.example"


def served_app(*, foreign: bool = False) -> App:
    """orders is served at api and www to users, claims at desk to one group; with `foreign`, www has another issuer."""
    app = App("estate", trust_domain="estate.example", images={**IMAGES, "edge": "registry.example/edge" + DIGEST})
    shop, bank = app.namespaces("shop", "bank")
    orders = shop.service("orders", image="registry.example/orders" + DIGEST, port=8080)
    claims = bank.service("claims", image="registry.example/claims" + DIGEST, port=8080)
    users = app.users()
    api, desk = app.host(API), app.host(DESK, login=users)
    at = [api]
    if foreign:
        url = "https://people.example"
        people = app.issuer(
            url,
            audience="estate",
            jwks=f"{url}/jwks",
            client="estate-www",
            client_secret="people/client",
            authorize=f"{url}/auth",
            token=f"{url}/token",
        )
        orders.serves("GET /mine", at=app.host(WWW, login=people), to=people.anyone())
    else:
        at.append(app.host(WWW, login=users))
    orders.serves("POST /orders", at=at, to=users.group("customers"), rate=Rate.per_minute(30, per="user"))
    orders.serves("GET /orders/{id}", at=at, to=users.anyone(), where=claim("customer") == path("id"))
    orders.serves("GET /items", at=api, public="the catalogue is for everybody")
    claims.serves("POST /claims/{id}/refunds", at=[api, desk], to=users.group("claims-managers"))
    return app
