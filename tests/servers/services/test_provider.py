"""The ledger and the payment provider agree, whatever ends in between: each step is cut, and the request sent again."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from common.log import JsonLines
from common.pool import Pool
from harness import paths
from harness.ports import free_port
from payments.app import application
from provider.account import Account
from servers.services.conftest import PSP_KEY, Bank, headers, money
from unit.services.serving import served

CHARGE = {"reference": "order-1", "amount": money(1000)}


def booked(bank: Bank, kind: str = "charge") -> list[tuple[object, ...]]:
    with bank.admin() as admin:
        query = "SELECT id::text, amount, psp_reference FROM ledger.transaction WHERE kind = %s"
        return admin.execute(query, [kind]).fetchall()


def unknown(bank: Bank) -> int:
    """How many movements were asked for without an outcome."""
    with bank.admin() as admin:
        admin.execute("SET ROLE ledger_reader")  # whoever reads the books sees it
        (row,) = admin.execute("SELECT count(*)::int FROM ledger.open").fetchall()
    return int(str(row[0]))


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("urn:garrison:problem:")


def test_a_charge_and_its_refund_are_asked_for_under_their_own_ids(bank: Bank) -> None:
    charge = bank.charge(1500)
    (theirs,) = bank.account.of("order-1")
    assert (theirs["id"], theirs["amount"]) == (charge["psp_reference"], 1500)
    refund = bank.post("refunds", {"charge_id": charge["id"], "amount": money(600)}).json()
    assert bank.account.find(theirs["id"])["refunded"] == 600
    assert bank.account.asked == [charge["id"], refund["id"]]
    assert unknown(bank) == 0


class EndedError(Exception):
    """The process is gone."""


@contextmanager
def cut(bank: Bank, point: int, before: bool) -> Iterator[None]:
    """The service ends before or after its transaction number `point`."""
    count, run = iter(range(1, 9)), Pool.run

    def ending(self: Pool, work: Callable[[Any], Any]) -> Any:
        now = next(count)
        if now == point and before:
            raise EndedError
        result = run(self, work)
        if now == point:
            raise EndedError
        return result

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Pool, "run", ending)
        yield


CUTS = {
    "before it is meant": (1, True),
    "before the provider is asked": (1, False),
    "before it is booked": (2, True),
    "before it is answered": (2, False),
}


@pytest.mark.parametrize("point", CUTS)
def test_a_charge_that_ends_anywhere_is_one_charge_when_it_is_repeated(bank: Bank, point: str) -> None:
    with cut(bank, *CUTS[point]):
        assert bank.post("charges", CHARGE, "k").status_code == 500
    assert unknown(bank) == (point in ("before the provider is asked", "before it is booked"))
    assert len(booked(bank)) <= len(bank.account.of("order-1")), "nothing is booked that the provider did not do"
    with served(application(bank.book)) as restarted:
        made = restarted.post("/charges", json=CHARGE, headers=headers("k")).json()
    (theirs,) = bank.account.of("order-1")
    assert booked(bank) == [(made["id"], 1000, theirs["id"])]
    assert set(bank.account.asked) == {made["id"]}
    assert unknown(bank) == 0


@pytest.mark.parametrize("point", CUTS)
def test_a_refund_that_ends_anywhere_is_one_refund_and_counts_from_the_first_step(bank: Bank, point: str) -> None:
    charge = bank.charge(1000)
    body = {"charge_id": charge["id"], "amount": money(600)}
    with cut(bank, *CUTS[point]):
        assert bank.post("refunds", body, "k").status_code == 500
    meant = point != "before it is meant"
    other = bank.post("refunds", {"charge_id": charge["id"], "amount": money(500)})
    assert problem(other) == (422, "refund-too-large") if meant else other.status_code == 201
    again = bank.post("refunds", body, "k")
    assert again.status_code == (201 if meant else 422)
    assert bank.account.find(charge["psp_reference"])["refunded"] == (600 if meant else 500)
    assert [row[1] for row in booked(bank, "refund")] == [600 if meant else 500]
    assert unknown(bank) == 0


def test_a_decline_books_nothing_and_is_told_again_without_asking(bank: Bank) -> None:
    bank.account._limit = 999
    for _ in range(2):
        assert problem(bank.post("charges", CHARGE, "k")) == (402, "declined")
    assert (booked(bank), unknown(bank), len(bank.account.asked)) == ([], 0, 1)
    bank.account._limit = 1000
    assert problem(bank.post("charges", CHARGE, "k")) == (402, "declined"), "under this key nothing will ever move"
    assert bank.post("charges", CHARGE, "another").status_code == 201


@pytest.mark.parametrize("point", CUTS)
def test_a_decline_that_ends_anywhere_stays_one(bank: Bank, point: str) -> None:
    bank.account._limit = 999
    with cut(bank, *CUTS[point]):
        assert bank.post("charges", CHARGE, "k").status_code == 500
    assert problem(bank.post("charges", CHARGE, "k")) == (402, "declined")
    assert (booked(bank), unknown(bank), bank.account.of("order-1")) == ([], 0, [])


def test_a_declined_refund_gives_its_charge_back(bank: Bank) -> None:
    charge = bank.charge(1000)
    kept, bank.account._charges = bank.account._charges, {}  # the provider does not know it
    body = {"charge_id": charge["id"], "amount": money(1000)}
    assert problem(bank.post("refunds", body)) == (402, "declined")
    bank.account._charges = kept
    assert bank.post("refunds", body).status_code == 201


def test_an_answer_that_is_lost_is_asked_for_again(bank: Bank) -> None:
    def lost() -> None:
        raise ConnectionResetError

    bank.account.after = lost
    assert problem(bank.post("charges", CHARGE, "k")) == (503, "callee-unavailable")
    assert (len(bank.account.of("order-1")), booked(bank), unknown(bank)) == (1, [], 1)
    bank.account.after = lambda: None
    assert bank.post("charges", CHARGE, "k").status_code == 201
    assert (len(bank.account.of("order-1")), len(booked(bank)), unknown(bank)) == (1, 1, 0)


def test_a_provider_that_is_away_is_a_503_and_nothing_is_booked(bank: Bank) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        bank.book.provider._callee._http.base_url = f"http://127.0.0.1:{held.getsockname()[1]}"
        away = bank.post("charges", CHARGE, "k")
        assert (*problem(away), away.headers["retry-after"]) == (503, "callee-unavailable", "1")
        assert bank.client.get("/healthz").status_code == 200, "it serves what needs no provider"
    assert (booked(bank), bank.account.asked) == ([], [])
    bank.book.provider._callee._http.base_url = bank.psp
    assert bank.post("charges", CHARGE, "k").status_code == 201


@pytest.mark.parametrize(("kept", "status", "kind"), [("", 503, "no-psp-key"), ("another", 502, "callee-failed")])
def test_without_the_right_key_nothing_moves(bank: Bank, tmp_path: Path, kept: str, status: int, kind: str) -> None:
    (tmp_path / "psp-key").write_text(kept)
    assert problem(bank.post("charges", CHARGE, "k")) == (status, kind)
    assert (booked(bank), bank.account.of("order-1")) == ([], [])
    (tmp_path / "psp-key").write_text(f"{PSP_KEY}\n")
    assert bank.post("charges", CHARGE, "k").status_code == 201, "a rotated key is in force at once"


def test_requests_with_one_key_at_once_are_one_charge(bank: Bank) -> None:
    together = threading.Barrier(4)

    def all_ask() -> None:  # before the first is answered
        together.wait(20)

    bank.account.before = all_ask
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: bank.post("charges", CHARGE, "k").json()["id"], range(4)))
    assert len({*made, *bank.account.asked}) == 1
    assert (len(bank.account.of("order-1")), len(booked(bank))) == (1, 1)


def test_a_provider_that_moves_another_amount_is_not_believed(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Account, "_once", lambda *_: {"id": "ch-1", "amount": 1, "currency": "EUR"})
    assert problem(bank.post("charges", CHARGE, "k")) == (502, "callee-failed")
    assert (booked(bank), unknown(bank)) == ([], 1)


def as_writer(bank: Bank, statement: str) -> None:
    with bank.admin() as admin, admin.transaction():
        admin.execute("SET LOCAL ROLE ledger_writer")
        admin.execute("SET LOCAL search_path = ledger")
        admin.execute(statement)


def test_the_database_itself_refuses_what_was_not_meant_or_was_declined(bank: Bank) -> None:
    bank.account._limit = 999
    bank.post("charges", CHARGE, "k")
    with bank.admin() as admin:
        ((declined,),) = admin.execute("SELECT id FROM ledger.declined").fetchall()
    insert = (
        "INSERT INTO transaction (id, kind, reference, amount, currency, psp_reference, caller)"
        " VALUES ('{}', 'charge', 'r', 1000, 'EUR', 'p', 'c')"
    )
    for one in (declined, uuid4()):
        with pytest.raises(psycopg.errors.CheckViolation, match="not what was meant"):
            as_writer(bank, insert.format(one))
    booked_one = bank.charge(999)["id"]
    with pytest.raises(psycopg.errors.CheckViolation, match="is booked"):
        as_writer(bank, f"INSERT INTO declined (id, reason) VALUES ('{booked_one}', 'r')")
    for change in ("DELETE FROM declined", "UPDATE declined SET reason = ''"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_writer(bank, change)


def test_the_key_is_in_no_log(bank: Bank, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    bank.charge()
    (tmp_path / "psp-key").write_text("planted-wrong-key")
    bank.post("charges", CHARGE)
    said = "\n".join(JsonLines("payments").format(record) for record in caplog.records)
    assert "/v1/charges" in said
    assert PSP_KEY not in said and "planted-wrong-key" not in said


# --- the process itself, killed --------------------------------------------------------------------------------------


@contextmanager
def process(bank: Bank, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """Payments as a program of its own."""
    port = free_port()
    env = {"PSP_URL": bank.psp, "PSP_API_KEY_FILE": str(tmp_path / "psp-key"), "LEDGER_FILE": str(bank.lease_file)}
    env |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.REPO / "services"), "PORT": str(port)}
    with subprocess.Popen([sys.executable, "-m", "payments"], env=env, stdout=subprocess.DEVNULL) as running:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
                _answers(client, running)
                yield running, client
        finally:
            running.kill()


def _answers(client: httpx.Client, running: subprocess.Popen[bytes]) -> None:
    pause = threading.Event()
    for _ in range(400):
        try:
            client.get("/healthz")
            return
        except httpx.ConnectError:
            assert running.poll() is None
            pause.wait(0.05)
    raise AssertionError("payments did not start")


@pytest.mark.parametrize("when", ["before", "after"])
def test_payments_killed_while_the_provider_works_charges_once(bank: Bank, tmp_path: Path, when: str) -> None:
    with process(bank, tmp_path) as (running, client):

        def killed() -> None:
            running.kill()
            running.wait(20)

        setattr(bank.account, when, killed)
        with pytest.raises(httpx.TransportError):
            client.post("/charges", json=CHARGE, headers=headers("k"))
    setattr(bank.account, when, lambda: None)
    assert (booked(bank), unknown(bank)) == ([], 1)
    with process(bank, tmp_path) as (_, client):
        made = client.post("/charges", json=CHARGE, headers=headers("k")).json()
    (theirs,) = bank.account.of("order-1")
    assert booked(bank) == [(made["id"], 1000, theirs["id"])]
