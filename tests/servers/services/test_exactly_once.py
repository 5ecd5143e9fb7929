"""Exactly once in effect: whatever ends a replica in the middle, and however many work on one request at once, there is
one order and one charge, one claim and one refund."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from common import context
from common.carts import own
from common.decision import Decisions
from orders.app import PLACE, SHOW
from servers.services.conftest import money
from servers.services.trading import Trade, trade
from unit.services.test_decision import ISSUER, headers, rules
from unit.services.test_shop import Told

__all__ = ["trade"]
CHARGES = "SELECT id::text, amount FROM ledger.transaction WHERE kind = 'charge'"
REFUNDS = "SELECT id::text, amount FROM ledger.transaction WHERE kind = 'refund'"
ORDERS = "SELECT charge_id, total FROM orderbook.placed"
NAILS = {"items": [{"id": "nails", "quantity": 2}]}


def place(client: httpx.Client, key: str, body: object = NAILS, **said: Any) -> httpx.Response:
    return client.post("/orders", json=body, headers=headers(**said) | {"idempotency-key": key})


def claim(client: httpx.Client, key: str, charge_id: str, amount: int, cover: str = "cover-2") -> httpx.Response:
    body = {"cover_id": cover, "charge_id": charge_id, "amount": money(amount)}
    return client.post("/claims", json=body, headers={"idempotency-key": key})


def fill(trade: Trade) -> str:
    """Nails into the user's cart; its name."""
    said = context.asked.set(context.Asked(claims={"iss": ISSUER, "sub": "u-ann"}))
    name = own()
    context.asked.reset(said)
    trade.trolley.add(name, "nails", 2)
    return name


DEAR, FIRST = (
    2 * 2500 + 50,
    2 * 1250 + 50,
)  # two of them and their cover, after and before the price went up


@pytest.mark.parametrize(
    ("step", "total"),
    [
        ("before catalog", DEAR),  # nothing is decided yet
        ("after cover", DEAR),
        ("before payments", FIRST),  # decided, and not charged
        ("after payments", FIRST),  # charged, and not recorded
        ("before clear", FIRST),  # recorded, and the cart is as it was
    ],
)
def test_a_replica_that_is_killed_leaves_one_order_and_one_charge(trade: Trade, step: str, total: int) -> None:
    process, first = trade.started("orders")
    cart, key, told = fill(trade), uuid4().hex, Told()
    trade.steps.tell(step, process.kill)
    with pytest.raises(httpx.TransportError):
        place(first, key, {})
    assert process.wait(10) < 0
    with trade.catalogue.admin() as admin:
        admin.execute("UPDATE catalogue.item SET price = price * 2")
    again = place(trade.orders(events=told), key, {})
    assert (again.status_code, again.json()["total"]["amount"]) == (201, total)
    assert trade.bank.rows(CHARGES) == trade.orderbook.rows(ORDERS) == [(again.json()["charge_id"], total)]
    assert trade.trolley.lines(cart) == []
    assert [event["order"] for _, event in told.events] == [again.json()["id"]]


def test_one_key_on_two_replicas_at_once_is_one_order(trade: Trade) -> None:
    replicas, key = [trade.orders(), trade.orders()], uuid4().hex
    with ThreadPoolExecutor(6) as threads:
        answers = [*threads.map(lambda number: place(replicas[number % 2], key), range(6))]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert trade.bank.rows(CHARGES) == trade.orderbook.rows(ORDERS) == [(answers[0].json()["charge_id"], FIRST)]


def test_two_requests_with_one_key_at_once_are_one_order_and_one_refusal(trade: Trade) -> None:
    replicas, key = [trade.orders(), trade.orders()], uuid4().hex
    bodies = [NAILS, {"items": [{"id": "tongs", "quantity": 1}]}]
    with ThreadPoolExecutor(2) as threads:
        answers = [*threads.map(lambda number: place(replicas[number], key, bodies[number]), range(2))]
    assert sorted(answer.status_code for answer in answers) == [201, 422]
    (order,) = (answer.json() for answer in answers if answer.status_code == 201)
    (refused,) = (answer.json() for answer in answers if answer.status_code == 422)
    assert refused["type"] == "urn:garrison:problem:key-reused"
    assert trade.bank.rows(CHARGES) == trade.orderbook.rows(ORDERS) == [(order["charge_id"], order["total"]["amount"])]


def test_a_database_that_goes_away_after_the_charge_loses_nothing(trade: Trade) -> None:
    told, key = Told(), uuid4().hex
    replica = trade.orders(events=told)
    assert replica.get("/healthz").status_code == 200
    trade.steps.tell("after payments", trade.bank.server.stop)
    try:
        away = place(replica, key)
        assert (away.status_code, away.json()["type"]) == (503, "urn:garrison:problem:orderbook-unavailable")
        assert replica.get("/healthz").status_code == 503
        assert told.events == [], "nobody is told of what is not kept"
    finally:
        trade.bank.server.start()
    assert replica.get("/healthz").status_code == 200, "without a restart of its own"
    order = place(replica, key).json()
    assert trade.bank.rows(CHARGES) == trade.orderbook.rows(ORDERS) == [(order["charge_id"], FIRST)]
    assert [event["order"] for _, event in told.events] == [order["id"]]


def test_every_replica_shows_an_order_to_its_owner_alone_also_after_a_restart(trade: Trade) -> None:
    decided = Decisions(rules()[0], decided=(PLACE, SHOW))
    order = place(trade.orders(decided), uuid4().hex).json()
    trade.bank.server.stop()
    trade.bank.server.start()
    for replica in (trade.orders(decided), trade.orders(decided)):
        seen = replica.get(f"/orders/{order['id']}", headers=headers())
        assert (seen.status_code, seen.json()) == (200, order)
        for stranger in ({"sub": "u-bob"}, {"iss": "https://evil.example"}):
            assert replica.get(f"/orders/{order['id']}", headers=headers(**stranger)).status_code == 403


def test_claims_stay_within_their_cover_over_all_replicas(trade: Trade) -> None:
    charge, replicas = trade.bank.charge(50_000)["id"], [trade.claims(), trade.claims()]
    with ThreadPoolExecutor(6) as threads:
        answers = [*threads.map(lambda n: claim(replicas[n % 2], uuid4().hex, charge, 2_000).status_code, range(6))]
    assert sorted(answers) == [201, 201, 422, 422, 422, 422], "the cover's limit is 5,000"
    assert [amount for _, amount in trade.bank.rows(REFUNDS)] == [2_000, 2_000]


def test_one_key_on_two_replicas_at_once_is_one_claim(trade: Trade) -> None:
    charge, key, replicas = trade.bank.charge(50_000)["id"], uuid4().hex, [trade.claims(), trade.claims()]
    with ThreadPoolExecutor(6) as threads:
        answers = [*threads.map(lambda number: claim(replicas[number % 2], key, charge, 2_000), range(6))]
    assert {(answer.status_code, answer.text) for answer in answers} == {(201, answers[0].text)}
    assert trade.bank.rows(REFUNDS) == [(answers[0].json()["refund_id"], 2_000)]
    assert replicas[1].get(f"/claims/{answers[0].json()['id']}").json() == answers[0].json()


@pytest.mark.parametrize("step", ["before cover", "before payments", "after payments"])
def test_a_killed_claim_is_refunded_once_and_what_it_may_have_paid_counts(trade: Trade, step: str) -> None:
    charge, key = trade.bank.charge(50_000)["id"], uuid4().hex
    process, first = trade.started("claims")
    trade.steps.tell(step, process.kill)
    with pytest.raises(httpx.TransportError):
        claim(first, key, charge, 3_000)
    assert process.wait(10) < 0
    second = trade.claims()
    if step != "before cover":
        beyond = claim(second, uuid4().hex, charge, 3_000)
        assert beyond.json()["type"] == "urn:garrison:problem:beyond-limit"
    settled = claim(second, key, charge, 3_000)
    assert settled.status_code == 201
    assert trade.bank.rows(REFUNDS) == [(settled.json()["refund_id"], 3_000)]


def test_a_claim_that_payments_refuses_gives_back_what_it_spoke_for(trade: Trade) -> None:
    replica, small, large = trade.claims(), trade.bank.charge(100)["id"], trade.bank.charge(50_000)["id"]
    refused = claim(replica, uuid4().hex, small, 5_000)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:garrison:problem:not-refunded")
    assert claim(replica, uuid4().hex, large, 5_000).status_code == 201
