"""The five services at work on the cluster: money, idempotency, refusals in words, and one request id through all."""

from __future__ import annotations

import secrets

import pytest

from cluster.estate import ask, logs, order
from cluster.live import eventually


def test_an_order_is_priced_insured_charged_and_stored() -> None:
    placed = order(quantity=3)
    assert placed["goods"] == {"amount": 3 * 2_495, "currency": "EUR"}
    assert placed["total"]["amount"] == placed["goods"]["amount"] + placed["premium"]["amount"]
    assert placed["premium"]["amount"] > 0
    # it is shown to the user who placed it, whom only the edge brings (test_storefront.py): not even to its own pod
    assert ask("shop/orders", "GET", f"/orders/{placed['id']}")[0] == 403


def test_the_same_key_places_one_order_and_one_charge() -> None:
    key = secrets.token_hex(8)
    first, second = order(key=key), order(key=key)
    assert first == second
    status, _, charge = ask("bank/payments", "GET", f"/charges/{first['charge_id']}")
    assert (status, charge["amount"]) == (200, first["total"])
    body = {"customer": "test", "items": [{"id": "anvil", "quantity": 1}]}
    assert ask("shop/orders", "POST", "/orders", body, key=key)[0] in (409, 422), "the same key for another order"


def test_a_claim_within_its_cover_is_refunded_once() -> None:
    placed = order(item="anvil", quantity=1)
    claim = {"cover_id": "cover-1", "charge_id": placed["charge_id"], "amount": {"amount": 500, "currency": "EUR"}}
    key = secrets.token_hex(8)
    status, _, settled = ask("insurance/claims", "POST", "/claims", claim, key=key)
    assert status == 201, settled
    assert ask("insurance/claims", "POST", "/claims", claim, key=key)[2] == settled
    beyond = claim | {"amount": {"amount": 10**9, "currency": "EUR"}}
    assert ask("insurance/claims", "POST", "/claims", beyond)[0] == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"customer": "test", "items": []}, 422),
        ({"customer": "test", "items": [{"id": "hammer", "quantity": 0}]}, 422),
        ({"customer": "test", "items": [{"id": "no-such-thing", "quantity": 1}]}, 422),
        ({"customer": "test", "items": [{"id": "hammer", "quantity": 1}], "price": 1}, 422),
    ],
)
def test_invalid_input_gets_a_problem_document(body: dict[str, object], status: int) -> None:
    got, kind, problem = ask("shop/orders", "POST", "/orders", body)
    assert (got, kind.split(";")[0], problem["status"]) == (status, "application/problem+json", status)


def test_one_request_id_joins_the_logs_of_every_service_it_passed() -> None:
    request_id = f"joined-{secrets.token_hex(8)}"
    order(request_id=request_id)
    for service in ("shop/orders", "shop/catalog", "insurance/cover", "bank/payments"):
        for container in ("app", *([] if service == "shop/orders" else ["proxy"])):
            eventually(lambda s=service, c=container: request_id in logs(s, c), f"{service} {container} logged it")  # type: ignore[misc]


def test_no_log_holds_a_leased_password() -> None:
    read = "import json;print(json.load(open('/run/secrets/ledger.json'))['password'])"
    from cluster.live import kubectl

    password = kubectl(
        "exec", "-n", "bank", "deploy/payments", "-c", "app", "--", "/usr/bin/python3", "-c", read
    ).strip()
    assert len(password) > 10, "the control: there is a password to look for"
    order()
    for container in ("app", "proxy", "secrets"):
        assert password not in logs("bank/payments", container)
    assert password not in logs("bank/ledger", "postgres")
