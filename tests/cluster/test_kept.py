"""What orders, claims and the catalogue keep outlives their pods and those of their databases, in every replica."""

from __future__ import annotations

import secrets

from cluster.estate import ask, order, placed, ready
from cluster.live import eventually, get, kubectl

CLAIM = {"cover_id": "cover-1", "amount": {"amount": 100, "currency": "EUR"}}


def pods(service: str) -> dict[str, int]:
    """The pods of a service that stay, and how often the application of each was started again."""
    namespace, name = service.split("/")
    items = get("pods", "-n", namespace, "-l", f"app.kubernetes.io/name={name}")["items"]
    return {
        f"pod/{item['metadata']['name']}": status["restartCount"]
        for item in items
        if "deletionTimestamp" not in item["metadata"]
        for status in item["status"].get("containerStatuses", [])
        if status["name"] == "app"
    }


def restart(service: str) -> None:
    """Every pod is another one, and ready."""
    namespace, name = service.split("/")
    before = pods(service)
    kubectl("rollout", "restart", "-n", namespace, f"deployment/{name}")
    kubectl("rollout", "status", "-n", namespace, f"deployment/{name}", "--timeout=180s")
    eventually(lambda: not before.keys() & pods(service).keys() and len(pods(service)) == 2, f"{service} is new", 120)


def test_a_restart_of_every_replica_loses_no_order_and_charges_none_again() -> None:
    key = secrets.token_hex(8)
    first = order(key=key)
    restart("shop/orders")
    assert [order(key=key, pod=pod) for pod in pods("shop/orders")] == [first, first]
    status, _, charge = ask("bank/payments", "GET", f"/charges/{first['charge_id']}")
    assert (status, charge["amount"], charge["refunded"]) == (200, first["total"], 0)
    other = {"customer": "test", "items": [{"id": "anvil", "quantity": 1}]}
    for pod in pods("shop/orders"):
        assert ask("shop/orders", "POST", "/orders", other, key=key, pod=pod)[0] == 422, "the key is that order's"


def test_a_restart_of_every_replica_loses_no_claim_and_refunds_none_again() -> None:
    key, paid = secrets.token_hex(8), order(item="anvil", quantity=1)["charge_id"]
    claim = {**CLAIM, "charge_id": paid}
    status, _, first = ask("insurance/claims", "POST", "/claims", claim, key=key)
    assert status == 201, first
    restart("insurance/claims")
    for pod in pods("insurance/claims"):
        assert ask("insurance/claims", "POST", "/claims", claim, key=key, pod=pod)[::2] == (201, first)
    assert ask("bank/payments", "GET", f"/charges/{paid}")[2]["refunded"] == 100


def test_both_replicas_of_the_catalogue_have_the_same_goods() -> None:
    listed = [ask("shop/catalog", "GET", "/items", pod=pod)[::2] for pod in pods("shop/catalog")]
    assert len(listed) == 2
    assert listed[0] == listed[1]
    assert (listed[0][0], len(listed[0][1]["items"])) == (200, 6)


def test_a_database_that_is_away_restarts_nobody_and_forgets_nothing() -> None:
    key, before = secrets.token_hex(8), pods("shop/orders")
    first = order(key=key)
    kubectl("delete", "pod", "-n", "shop", "orderbook-0", "--grace-period=0", "--force")
    ready()
    eventually(placed, "an order can be placed again", 120)
    assert pods("shop/orders") == before
    assert order(key=key) == first
