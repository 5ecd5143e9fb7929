"""Orders and claims over real connections to the services they call: what works, what fails, what repeats."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response

import catalog.app
import cover.app
import orders.app
from cart.resp import Unavailable
from claims.app import Desk
from claims.app import application as claims_app
from common import context
from common.app import create
from common.carts import Carts, own
from common.client import Callee
from common.events import Lost
from garrison.declare.program import load
from harness import books, carts, paths, storefront
from orders.app import Publisher
from orders.app import application as orders_app
from orders.placing import Callees
from unit.services.serving import served


@dataclass
class Till:
    """Payments as its callers see it; the real one, with its database, has tests of its own."""

    charges: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: list[dict[str, str]] = field(default_factory=list)
    answer: Callable[[], Response] | None = None

    def app(self) -> FastAPI:
        router = APIRouter()

        @router.post("/{kind}")
        async def take(kind: str, request: Request) -> Response:
            self.seen.append(dict(request.headers))
            kept = self.charges if kind == "charges" else self.refunds
            made = {**json.loads(await request.body()), "id": str(uuid4())}
            made = kept.setdefault(request.headers["idempotency-key"], made)
            return self.answer() if self.answer else JSONResponse(made, 201)

        return create("till", "", router)


@dataclass
class Shop:
    orders: httpx.Client
    claims: httpx.Client
    till: Till

    def order(self, key: str = "", headers: dict[str, str] | None = None, **changes: object) -> httpx.Response:
        body = {"customer": "ann", "items": [{"id": "nails", "quantity": 2}, {"id": "anvil", "quantity": 1}]}
        sent = {"idempotency-key": key or uuid4().hex, "x-request-id": "r-7", **(headers or {})}
        return self.orders.post("/orders", json={**body, **changes}, headers=sent)

    def claim(self, key: str = "", cover_id: str = "cover-1", amount: int = 1000) -> httpx.Response:
        money = {"amount": amount, "currency": "EUR"}
        body = {"cover_id": cover_id, "charge_id": "c-1", "amount": money}
        return self.claims.post("/claims", json=body, headers={"idempotency-key": key or uuid4().hex})


ESTATE = paths.REPO / "stacks/estate.py"


def callee(name: str, client: httpx.Client) -> Callee:
    return Callee(name, str(client.base_url))


def verified(said: object) -> str:
    """What the proxy says of a verified token."""
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


@dataclass
class Street:
    """Everything that runs; started once, since starting is what takes time."""

    goods: httpx.Client
    covers: httpx.Client
    money: httpx.Client
    till: Till
    carts: carts.Memory
    cart: str
    stack: ExitStack
    book: books.Orders = field(default_factory=books.Orders)

    def start(self, app: FastAPI) -> httpx.Client:
        return self.stack.enter_context(served(app))

    def orders(self, events: Publisher | None = None) -> httpx.Client:
        catalog, cover, payments = (
            callee("catalog", self.goods),
            callee("cover", self.covers),
            callee("payments", self.money),
        )
        return self.start(orders_app(Callees(catalog, cover, payments, Carts(self.cart)), self.book, events=events))

    def claims(self) -> tuple[httpx.Client, books.Claims]:
        kept = books.Claims()
        desk = Desk(callee("cover", self.covers), callee("payments", self.money), kept)
        return self.start(claims_app(desk)), kept


@pytest.fixture(scope="module")
def street() -> Iterator[Street]:
    till = Till()
    with ExitStack() as stack:
        goods, covers, money = (
            stack.enter_context(served(app))
            for app in (catalog.app.application(books.Goods.sown()), cover.app.build(), till.app())
        )
        kept = carts.Memory()
        yield Street(goods, covers, money, till, kept, stack.enter_context(carts.running(kept)), stack)


@pytest.fixture(scope="module")
def running(street: Street) -> tuple[Shop, books.Claims]:
    claims, kept = street.claims()
    return Shop(street.orders(), claims, street.till), kept


@pytest.fixture
def shop(running: tuple[Shop, books.Claims]) -> Shop:
    """The running shop with an empty till, and no claims on its covers."""
    shop, claims = running
    claims.reserved.clear()
    shop.till.charges.clear()
    shop.till.refunds.clear()
    shop.till.seen.clear()
    shop.till.answer = None
    return shop


def test_an_order_is_priced_covered_charged_and_kept(shop: Shop) -> None:
    order = shop.order().json()
    assert (order["goods"]["amount"], order["premium"]["amount"], order["total"]["amount"]) == (21_400, 214, 21_614)
    (charge,) = shop.till.charges.values()
    assert (charge["amount"], charge["reference"]) == ({"amount": 21_614, "currency": "EUR"}, order["id"])
    assert (shop.till.seen[0]["x-request-id"], shop.till.seen[0]["x-correlation-id"]) == ("r-7", "r-7")
    assert shop.orders.get(f"/orders/{order['id']}").json() == order


def test_a_repeated_order_is_one_order_and_one_charge(shop: Shop) -> None:
    key = uuid4().hex
    assert shop.order(key).json() == shop.order(key).json()
    assert len(shop.till.seen) == 1
    other = shop.order(key, items=[{"id": "nails", "quantity": 1}])
    assert (other.status_code, other.json()["type"]) == (422, "urn:garrison:problem:key-reused")


def test_one_users_key_is_nothing_to_another(shop: Shop) -> None:
    """Or whoever learned a key would get the order that it placed."""
    key = uuid4().hex
    wen, eve = ({"x-verified-claims": verified({"sub": user})} for user in ("wen", "eve"))
    mine, other = (shop.order(key, headers=user, customer=None).json() for user in (wen, eve))
    assert (mine["customer"], other["customer"]) == ("wen", "eve")
    assert mine["id"] != other["id"]
    assert len(shop.till.charges) == 2


def test_without_a_user_the_caller_names_the_customer(shop: Shop) -> None:
    refused = shop.order(customer=None)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:garrison:problem:no-customer")


@pytest.mark.parametrize("token", ["Bearer t", ""])
def test_a_users_token_goes_on_where_the_estate_declares_it_and_nowhere_else(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, str | None] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen[request.url.host] = request.headers.get("authorization")
        return storefront.answer(request)

    monkeypatch.setattr(httpx, "HTTPTransport", lambda **_: httpx.MockTransport(answer))
    for name in ("catalog", "cover", "payments"):
        monkeypatch.setenv(f"{name.upper()}_URL", f"http://{name}")
    for name in ("CART_ADDR", "NATS_ADDR", "ORDERBOOK_FILE"):
        monkeypatch.setenv(name, carts.NOBODY)
    monkeypatch.setattr(orders.app, "Orderbook", lambda _: books.Orders())
    with served(orders.app.build()) as client:
        Shop(client, client, Till()).order(headers={"authorization": token} if token else {})
    declared = [call for call in load(ESTATE).graph().calls if call.caller.name == "orders"]
    others = [call for call in declared if call.callee.name in ("cart", "nats")]  # test_cart has what goes there
    assert {call.token for call in others} == {"none"}
    declared = [call for call in declared if call not in others]
    assert seen == {call.callee.name: token or None if call.token == "forward" else None for call in declared}


def test_a_database_that_is_away_is_a_service_that_is_not_ready_and_restarts_nobody() -> None:
    graph = load(ESTATE).graph()
    users = {use.service for use in graph.uses}
    kept = {one.ref.name: (one.health, one.liveness, one.replicas) for one in graph.services if one.ref in users}
    assert kept == dict.fromkeys(("catalog", "claims", "orders", "payments"), ("/healthz", "tcp", 2))


def test_a_repetition_after_a_restart_is_not_charged_again(shop: Shop, street: Street) -> None:
    key = uuid4().hex
    first = shop.order(key).json()
    restarted = Shop(street.orders(), shop.claims, shop.till)
    assert restarted.order(key).json() == restarted.orders.get(f"/orders/{first['id']}").json() == first
    assert len(shop.till.seen) == len(shop.till.charges) == 1


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (lambda: JSONResponse({}, 500), 502),
        (lambda: JSONResponse({}, 403), 502),
        (lambda: JSONResponse({"id": 1}, 201), 502),
        (lambda: Response(b"<html>", 201), 502),
        (lambda: JSONResponse({}, 503), 503),
        (lambda: JSONResponse({"detail": "key-reused"}, 422), 409),
    ],
)
def test_a_failed_charge_leaves_no_order_and_can_be_repeated(
    shop: Shop, answer: Callable[[], Response], status: int
) -> None:
    key = uuid4().hex
    shop.till.answer = answer
    failed = shop.order(key)
    assert (failed.status_code, failed.headers["content-type"]) == (status, "application/problem+json")
    shop.till.answer = None
    order = shop.order(key).json()
    assert len(shop.till.charges) == 1
    assert shop.orders.get(f"/orders/{order['id']}").status_code == 200


def test_a_callee_that_is_not_there_is_named() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        nobody = Callee("catalog", f"http://127.0.0.1:{held.getsockname()[1]}")
        with served(orders_app(Callees(nobody, nobody, nobody, Carts(carts.NOBODY)), books.Orders())) as client:
            shop = Shop(client, client, Till())
            failed = shop.order("k")
    assert (failed.status_code, failed.headers["retry-after"]) == (503, "1")
    assert failed.json()["detail"] == "catalog cannot be reached"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"items": [{"id": "unicorn", "quantity": 1}]}, "unknown-item"),
        ({"items": [{"id": "lantern", "quantity": 1}]}, "wrong-currency"),
        ({"items": []}, "invalid-request"),
        ({"items": [{"id": "nails", "quantity": 0}]}, "invalid-request"),
        ({"items": [{"id": "nails", "quantity": 1}] * 2}, "repeated-item"),
        ({"items": [{"id": "nails", "quantity": 1.5}]}, "invalid-request"),
        ({"items": [{"id": "../covers", "quantity": 1}]}, "invalid-request"),
    ],
)
def test_a_wrong_order_is_refused_before_money_moves(shop: Shop, changes: dict[str, Any], kind: str) -> None:
    refused = shop.order(**changes)
    assert (refused.status_code, refused.json()["type"]) == (422, f"urn:garrison:problem:{kind}")
    assert shop.till.charges == {}


@dataclass
class Told:
    """Who is told of orders, or cannot be."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lost: bool = False

    def publish(self, subject: str, event: dict[str, Any]) -> None:
        if self.lost:
            raise Lost("ConnectionRefusedError")
        self.events.append((subject, event))

    def close(self) -> None:
        pass


def test_an_order_is_told_once_it_is_kept_and_again_when_it_is_repeated(shop: Shop, street: Street) -> None:
    told, key = Told(), uuid4().hex
    orders = Shop(street.orders(told), shop.claims, shop.till)
    shop.till.answer = lambda: JSONResponse({}, 503)
    assert (orders.order(key).status_code, told.events) == (503, [])
    shop.till.answer, told.lost = None, True
    order = orders.order(key)
    assert order.status_code == 201, "it is an order, whether or not somebody hears of it"
    assert orders.orders.get(f"/orders/{order.json()['id']}").status_code == 200
    told.lost = False
    assert orders.order(key).json() == order.json()
    said = {"order": order.json()["id"], "customer": "ann", "amount": 21_614, "currency": "EUR"}
    assert told.events == [("orders.placed", {**said, "correlation_id": "r-7"})]
    assert len(shop.till.charges) == 1


WEN = {"x-verified-claims": verified({"iss": "us", "sub": "wen"})}


@pytest.fixture
def filled(street: Street) -> str:
    """Wen's cart with three things in it; its name."""
    street.carts.carts.clear()
    token = context.asked.set(context.Asked(claims={"iss": "us", "sub": "wen"}))
    name = own()
    context.asked.reset(token)
    street.carts.add(name, "nails", 2)
    street.carts.add(name, "anvil", 1)
    return name


def test_an_order_without_items_takes_the_users_cart(shop: Shop, street: Street, filled: str) -> None:
    order = shop.order(headers=WEN, items=None).json()
    assert [(line["id"], line["quantity"]) for line in order["items"]] == [("anvil", 1), ("nails", 2)]
    assert (order["total"]["amount"], street.carts.lines(filled)) == (21_614, [])


def test_a_repeated_order_from_a_cart_is_one_charge_also_after_a_restart(
    shop: Shop, street: Street, filled: str
) -> None:
    key = uuid4().hex
    first = shop.order(key, headers=WEN, items=None).json()
    street.carts.add(filled, "tongs", 1)
    again = Shop(street.orders(), shop.claims, shop.till).order(key, headers=WEN, items=None)
    assert again.json() == first
    assert len(shop.till.charges) == 1
    assert street.carts.lines(filled) == [("tongs", 1)], "what was added since is not bought"


def test_an_order_that_failed_leaves_the_cart_and_buys_what_it_first_took(
    shop: Shop, street: Street, filled: str
) -> None:
    key = uuid4().hex
    shop.till.answer = lambda: JSONResponse({}, 503)
    assert shop.order(key, headers=WEN, items=None).status_code == 503
    assert street.carts.lines(filled) == [("anvil", 1), ("nails", 2)]
    street.carts.add(filled, "tongs", 1)
    shop.till.answer = None
    assert shop.order(key, headers=WEN, items=None).json()["total"]["amount"] == 21_614
    assert len(shop.till.charges) == 1
    assert street.carts.lines(filled) == [("tongs", 1)]


@pytest.mark.parametrize(("headers", "kind"), [(WEN, "empty-cart"), ({}, "no-user")])
def test_there_has_to_be_a_cart(shop: Shop, street: Street, headers: dict[str, str], kind: str) -> None:
    street.carts.carts.clear()
    refused = shop.order(headers=headers, items=None)
    assert (refused.status_code, refused.json()["type"]) == (422, f"urn:garrison:problem:{kind}")
    assert shop.till.charges == {}


def test_a_paid_order_is_one_whatever_becomes_of_the_cart(
    shop: Shop, street: Street, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(cart: str, order: str) -> None:
        raise Unavailable

    monkeypatch.setattr(street.carts, "clear", away)
    assert shop.order(headers=WEN, items=None).status_code == 201
    assert street.carts.lines(filled) == [("anvil", 1), ("nails", 2)]


def test_an_order_needs_a_key(shop: Shop) -> None:
    assert shop.orders.post("/orders", json={}).json()["errors"][0]["where"] == "header/idempotency-key"


def test_a_claim_within_its_cover_is_refunded_once(shop: Shop) -> None:
    key = uuid4().hex
    claim = shop.claim(key).json()
    assert claim["refund_id"] == next(iter(shop.till.refunds.values()))["id"]
    assert shop.claim(key).json() == claim
    assert shop.claims.get(f"/claims/{claim['id']}").json() == claim
    assert len(shop.till.refunds) == 1


@pytest.mark.parametrize(
    ("cover_id", "amount", "kind"),
    [
        ("nothing", 1, "unknown-cover"),
        ("cover-3", 1, "cover-not-active"),
        ("cover-2", 5_001, "beyond-limit"),
    ],
)
def test_a_claim_its_cover_does_not_allow_is_refused(shop: Shop, cover_id: str, amount: int, kind: str) -> None:
    refused = shop.claim(cover_id=cover_id, amount=amount)
    assert (refused.status_code, refused.json()["type"]) == (422, f"urn:garrison:problem:{kind}")
    assert shop.till.refunds == {}


def test_claims_together_stay_within_the_limit(shop: Shop) -> None:
    assert [shop.claim(cover_id="cover-2", amount=2_000).status_code for _ in range(3)] == [201, 201, 422]


def test_a_refused_refund_is_explained(shop: Shop) -> None:
    shop.till.answer = lambda: JSONResponse({"detail": "the refunds would exceed the charge"}, 422)
    refused = shop.claim()
    assert refused.status_code == 422
    assert "exceed the charge" in refused.json()["detail"]


def test_a_quote_can_be_taken_up_and_claimed_on() -> None:
    quote = {"reference": "o-1", "value": {"amount": 101, "currency": "EUR"}}
    with served(cover.app.build()) as client:
        offered = client.post("/quotes", json=quote).json()
        assert offered == client.post("/quotes", json=quote).json()
        assert offered["premium"] == {"amount": 50, "currency": "EUR"}
        bought = client.post("/covers", json={"quote_id": offered["id"]}).json()
        assert client.get(f"/covers/{bought['id']}").json() == bought
        assert client.post("/covers", json={"quote_id": "none"}).status_code == 404
