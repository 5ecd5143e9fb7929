"""Payments and the provider with what is between them on a cluster: the derived sidecar, gateway and TLS, all real."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from payments.app import Book, application
from provider.app import Handler
from servers.egresses import ELSEWHERE, INSIDE, Bench, stand
from servers.proxies import eventually
from servers.services.conftest import PSP_KEY, Bank, Wavering, asking, headers, money
from servers.services.test_provider import CHARGE, booked, problem, unknown
from unit.services.serving import served


@dataclass
class Outside:
    bench: Bench
    account: Wavering


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    there, known = Wavering(), sha256(PSP_KEY.encode()).hexdigest()
    with stand(tmp_path_factory.mktemp("outside"), handler=Handler) as bench:
        vars(bench.provider).update(account=there, fingerprint=lambda: known)
        eventually(lambda: bench.call("POST /v1/charges")[0] == 401, "the provider is found")
        yield Outside(bench, there)


@pytest.fixture
def payments(outside: Outside, bank: Bank, tmp_path: Path) -> Iterator[httpx.Client]:
    """The service on the bank's ledger, with its own sidecar's way to the provider."""
    provider = asking(f"http://127.0.0.1:{outside.bench.sidecar}", tmp_path / "psp-key")
    with served(application(Book(bank.lease_file, provider))) as client:
        yield client


def test_a_charge_goes_out_and_is_booked_as_the_provider_has_it(
    payments: httpx.Client, outside: Outside, bank: Bank
) -> None:
    before = len(outside.account.of("order-1"))
    made = [payments.post("/charges", json=CHARGE, headers=headers("k")) for _ in range(2)]
    assert [answer.status_code for answer in made] == [201, 201], made[0].text
    theirs = outside.account.of("order-1")[before:]
    assert booked(bank) == [(made[0].json()["id"], 1000, theirs[0]["id"])]
    assert len(theirs) == 1
    assert PSP_KEY not in outside.bench.log


def test_what_is_not_declared_ends_at_the_gateway_and_nothing_is_booked(
    payments: httpx.Client, outside: Outside, bank: Bank
) -> None:
    """In this estate refunds are not."""
    charge = payments.post("/charges", json=CHARGE, headers=headers()).json()
    asked = len(outside.account.asked)
    refused = payments.post("/refunds", json={"charge_id": charge["id"], "amount": money(1)}, headers=headers())
    assert problem(refused) == (502, "callee-failed")
    assert refused.json()["detail"] == "psp answered with 403"
    assert (booked(bank, "refund"), unknown(bank), len(outside.account.asked)) == ([], 1, asked)


def test_an_answer_that_is_lost_on_its_way_is_asked_for_again(
    payments: httpx.Client, outside: Outside, bank: Bank
) -> None:
    def lost() -> None:
        raise ConnectionResetError

    before = len(outside.account.of("order-1"))
    outside.account.after = lost
    assert problem(payments.post("/charges", json=CHARGE, headers=headers("k"))) == (503, "callee-unavailable")
    assert (booked(bank), unknown(bank)) == ([], 1)
    outside.account.after = lambda: None
    assert payments.post("/charges", json=CHARGE, headers=headers("k")).status_code == 201
    assert len(outside.account.of("order-1")) == before + 1, "the gateway sent nothing twice"
    assert (len(booked(bank)), unknown(bank)) == (1, 0)


def test_where_the_name_leads_inside_nobody_is_asked(payments: httpx.Client, outside: Outside, bank: Bank) -> None:
    assert payments.post("/charges", json=CHARGE, headers=headers("k0")).status_code == 201, "the control"
    reached = outside.bench.inside.reached
    outside.bench.leads(api_psp_example=[INSIDE])
    try:
        eventually(
            lambda: payments.post("/charges", json=CHARGE, headers=headers()).status_code == 502, "the new address"
        )
        before = unknown(bank)
        refused = payments.post("/charges", json=CHARGE, headers=headers("k"))
        assert refused.json()["detail"] == "psp answered with 403"
        assert outside.bench.inside.reached == reached
        assert unknown(bank) == before + 1
    finally:
        outside.bench.leads(api_psp_example=[ELSEWHERE])
    eventually(
        lambda: payments.post("/charges", json=CHARGE, headers=headers("k")).status_code == 201, "the provider again"
    )
    assert unknown(bank) == before
