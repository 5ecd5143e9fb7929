"""What services decide themselves, by rules as the graph gives them: one's own order, a refund above an amount."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

import catalog.app
import cover.app
from claims.app import PLACE as CLAIM
from claims.app import SHOW as SHOW_CLAIM
from claims.app import Desk
from claims.app import application as claims_app
from common import context
from common.carts import Carts
from common.decision import Decisions, path_values, query_values
from common.settings import SettingsError
from garrison import claim, data
from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import tokens
from harness import books, carts
from orders.app import PLACE, SHOW
from orders.app import application as orders_app
from orders.placing import Callees
from unit.estates import DIGEST, empty_app
from unit.services.serving import served
from unit.services.test_shop import Till, callee

ISSUER = "https://login.estate.example/v1/identity/oidc"
EDGE = "spiffe://estate.example/ns/edge/sa/edge"
BACK = "spiffe://estate.example/ns/shop/sa/back"


def rules() -> tuple[dict[str, str], dict[str, str]]:
    """Of orders and of claims, as they are derived."""
    app = empty_app()
    shop = app.namespace("shop")
    orders, claims, back = (
        shop.service(name, image=f"registry.example/{name}{DIGEST}", port=8080) for name in ("orders", "claims", "back")
    )
    users, api = app.users(), app.host("api.estate.example")
    orders.serves(SHOW, at=api, to=users.group("customers"), where=claim("sub") == data("subject"))
    orders.serves(PLACE, at=api, to=users.group("customers"))
    back.calls(orders, "GET /orders/{order}")
    small = (data("amount") <= 5000) | claim("groups").contains("claims-managers")
    claims.serves(CLAIM, at=api, to=users.group("customers"), where=small)
    graph = app.graph()
    return tokens.rules(graph, Cluster(), orders.ref), tokens.rules(graph, Cluster(), claims.ref)


@dataclass
class Shop:
    orders: httpx.Client
    claims: httpx.Client

    def place(self, key: str = "", **said: Any) -> httpx.Response:
        body = {"customer": "ann", "items": [{"id": "nails", "quantity": 2}]}
        return self.orders.post("/orders", json=body, headers=headers(**said) | {"idempotency-key": key or uuid4().hex})

    def claim(self, amount: int, **said: Any) -> httpx.Response:
        body = {"cover_id": "cover-1", "charge_id": "c-1", "amount": {"amount": amount, "currency": "EUR"}}
        return self.claims.post("/claims", json=body, headers=headers(**said) | {"idempotency-key": uuid4().hex})


def headers(peer: str = EDGE, **said: Any) -> dict[str, str]:
    """As the service's own proxy sets them, with these claims changed; None leaves one out."""
    claims = {"iss": ISSUER, "aud": "estate", "sub": "u-ann", "groups": ["customers"]} | said
    payload = json.dumps({name: value for name, value in claims.items() if value is not None}).encode()
    encoded = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    cert = {"x-forwarded-client-cert": f"By=spiffe://x/y;Hash=00;URI={peer}"}
    return cert | ({d.CLAIMS_HEADER: encoded} if said.get("sub", "u-ann") is not None else {})


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    of_orders, of_claims = rules()
    assert (set(of_orders), set(of_claims)) == ({SHOW}, {CLAIM})
    with ExitStack() as stack:
        apps = (catalog.app.application(books.Goods.sown()), cover.app.build(), Till().app())
        goods, covers, money = (stack.enter_context(served(app)) for app in apps)
        callees = Callees(
            callee("catalog", goods), callee("cover", covers), callee("payments", money), Carts(carts.NOBODY)
        )
        desk = Desk(callee("cover", covers), callee("payments", money), books.Claims())
        orders = orders_app(callees, books.Orders(), Decisions(of_orders, decided=(PLACE, SHOW)))
        claims = claims_app(desk, Decisions(of_claims, decided=(CLAIM, SHOW_CLAIM)))
        yield Shop(stack.enter_context(served(orders)), stack.enter_context(served(claims)))


def test_one_sees_ones_own_order_and_does_not_learn_of_others(shop: Shop) -> None:
    path = f"/orders/{shop.place().json()['id']}"

    def status(at: str = path, **said: Any) -> int:
        return shop.orders.get(at, headers=headers(**said)).status_code

    assert status() == 200
    assert status(sub="u-bob") == 403
    assert status("/orders/none", sub="u-bob") == status("/orders/none") == 403, "another's and none are alike"
    assert status(groups=["others"]) == status(groups="customers") == status(groups=None) == 403
    assert status(aud="bank") == status(aud=["estate"]) == status(iss="https://evil.example") == 403
    assert status(sub=None) == 403, "no token"
    assert status(sub=["u-ann"]) == 403
    assert status(peer="spiffe://estate.example/ns/shop/sa/stranger") == 403


def test_a_declared_caller_was_judged_by_the_proxy(shop: Shop) -> None:
    path = f"/orders/{shop.place().json()['id']}"
    assert shop.orders.get(path, headers=headers(peer=BACK, sub=None)).status_code == 200
    assert shop.orders.get("/orders/none", headers=headers(peer=BACK, sub=None)).status_code == 404


def test_what_was_placed_without_a_token_is_no_users(shop: Shop) -> None:
    path = f"/orders/{shop.place(peer=BACK, sub=None).json()['id']}"
    assert shop.orders.get(path, headers=headers(sub="")).status_code == 403
    assert shop.orders.get(path, headers=headers(peer=BACK, sub=None)).status_code == 200


def test_anothers_key_gives_nobody_anothers_order(shop: Shop) -> None:
    key = uuid4().hex
    mine, theirs = shop.place(key).json(), shop.place(key, sub="u-bob").json()
    namesake = shop.place(key, iss="https://people.example").json()
    assert len({mine["id"], theirs["id"], namesake["id"]}) == 3
    assert shop.place(key).json() == mine


def test_a_refund_above_the_amount_needs_a_manager(shop: Shop) -> None:
    assert shop.claim(5000).status_code == 201
    assert shop.claim(5001).status_code == 403
    assert shop.claim(5001, groups=["customers", "claims-managers"]).status_code == 201
    assert shop.claim(5001, groups=["claims-managers"]).status_code == 403, "served to customers"


def test_every_decision_is_logged_with_who_and_why(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    order = shop.place().json()["id"]
    with caplog.at_level(logging.INFO, "service"):
        shop.orders.get(f"/orders/{order}", headers=headers())
        shop.orders.get(f"/orders/{order}", headers=headers(sub="u-bob"))
    told = [getattr(record, "fields", {}) for record in caplog.records if record.getMessage() == "decision"]
    assert told == [
        {"rule": SHOW, "outcome": "allowed", "subject": "u-ann", "issuer": ISSUER},
        {"rule": SHOW, "outcome": "refused", "subject": "u-bob", "issuer": ISSUER},
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("{", "is not JSON"),
        ("[]", "is not an object of texts"),
        ('{"GET /orders/{id}": 1}', "is not an object of texts"),
        ('{"GET /orders": "true"}', "which this service does not decide"),
        ('{"GET /orders/{id}": "claim["}', "is not CEL"),
    ],
)
def test_rules_that_cannot_be_kept_stop_the_start(monkeypatch: pytest.MonkeyPatch, given: str, told: str) -> None:
    monkeypatch.setenv(d.ACCESS_RULES, given)
    with pytest.raises(SettingsError, match=told):
        Decisions.from_environment(PLACE, SHOW)


def test_without_rules_everything_that_came_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(d.ACCESS_RULES, raising=False)
    Decisions.from_environment(PLACE, SHOW).check(SHOW, {})


@pytest.mark.parametrize("header", ["", "e30", "!", "W10", "bnVsbA", "eyJhIjox", "W" * 9999, "éé"])
def test_claims_that_are_none_are_no_claims(header: str) -> None:
    assert context.verified(header) == {}


def test_values_of_path_and_query_are_those_that_everybody_reads_alike() -> None:
    assert path_values(SHOW, "/orders/o-1") == {"id": "o-1"}
    assert path_values(SHOW, "/orders/o%2D1") == path_values(SHOW, "/orders/a/b") == {}
    assert query_values("a=1&b=2&B=3&c&d=") == {"a": "1", "d": ""}
    assert query_values("a=1&x=%20") == query_values("a=1+") == query_values("a=1;b=2") == {}
