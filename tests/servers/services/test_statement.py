"""The nightly statement on a real PostgreSQL: its sums, how it ends, and that it could not write if it wanted to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from common.pool import Connection
from harness import paths
from servers.services.conftest import Bank, money
from statement.book import read

Lines = list[dict[str, Any]]


def run(bank: Bank, role: str = "reader") -> tuple[int, Lines]:
    """How the job ends with a lease of this role, and its log."""
    bank.lease(role)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.REPO / "services"), "LEDGER_FILE": str(bank.lease_file)}
    done = subprocess.run([sys.executable, "-m", "statement"], env=env, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def sums(lines: Lines) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    """Of each day and account: opening, debit, credit, closing."""
    found = [line for line in lines if line["message"] == "account"]
    return {(f["day"], f["account"]): (f["opening"], f["debit"], f["credit"], f["closing"]) for f in found}


def day(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


def shift(bank: Bank, days: int) -> None:
    """Let everything so far have happened so many days earlier, which no role of the estate could."""
    with bank.admin() as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("UPDATE ledger.transaction SET created = created - make_interval(days => %s)", [days])


def test_a_day_has_what_moved_in_it_and_what_there_was_before(bank: Bank) -> None:
    charge = bank.charge(1000)
    shift(bank, 1)
    bank.charge(250, "USD")
    shift(bank, 1)
    assert bank.post("refunds", {"charge_id": charge["id"], "amount": money(300)}).status_code == 201
    code, lines = run(bank)
    assert code == 0
    assert sums(lines) == {
        (day(-1), "psp:EUR"): (1000, 0, 0, 1000),
        (day(-1), "merchants:EUR"): (-1000, 0, 0, -1000),
        (day(-1), "psp:USD"): (0, 250, 0, 250),
        (day(-1), "merchants:USD"): (0, 0, 250, -250),
        (day(0), "psp:EUR"): (1000, 0, 300, 700),
        (day(0), "merchants:EUR"): (-1000, 300, 0, -700),
        (day(0), "psp:USD"): (250, 0, 0, 250),
        (day(0), "merchants:USD"): (-250, 0, 0, -250),
    }
    assert (lines[-1]["message"], lines[-1]["transactions"]) == ("the ledger balances", 3)


def test_an_empty_ledger_balances(bank: Bank) -> None:
    code, (last,) = run(bank)
    assert (code, last["transactions"]) == (0, 0)


WRONG = {
    "no entries": [],
    "one": [("psp:EUR", "EUR", 500)],
    "a sum": [("psp:EUR", "EUR", 500), ("merchants:EUR", "EUR", -499)],
    "another amount": [("psp:EUR", "EUR", 400), ("merchants:EUR", "EUR", -400)],
    "another currency": [("psp:USD", "USD", 500), ("merchants:USD", "USD", -500)],
}


@pytest.mark.parametrize("how", WRONG)
def test_what_does_not_balance_is_found_although_the_database_would_refuse_it(bank: Bank, how: str) -> None:
    """As if somebody had changed the volume: written with every law of the schema switched off."""
    bank.charge(500)
    bank.charge(500, "USD")
    assert run(bank)[0] == 0, "the control"
    made = str(uuid4())
    with bank.admin() as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("INSERT INTO ledger.transaction VALUES (%s, 'charge', 'r', 500, 'EUR', NULL, 'p', 'c')", [made])
        for line, (account, currency, amount) in enumerate(WRONG[how], 1):
            values = [made, line, account, currency, amount]
            admin.execute("INSERT INTO ledger.entry VALUES (%s, %s, %s, %s, %s)", values)
    code, lines = run(bank)
    assert code == 1
    assert [line["transaction"] for line in lines if line["message"] == "a transaction does not balance"] == [made]
    assert lines[-1]["unbalanced"] == 1


def test_it_reads_one_state_and_writes_nothing_even_with_a_writers_lease(bank: Bank) -> None:
    bank.charge(500)

    def work(connection: Connection) -> None:
        assert read(connection, datetime.now(UTC).date()).transactions == 1
        bank.charge(500)
        assert connection.execute("SELECT count(*) FROM transaction").fetchone() == (1,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), connection.transaction():
            connection.execute("INSERT INTO account VALUES ('x', 'asset', 'EUR')")

    bank.book.pool.run(work)
    assert run(bank)[1][-1]["transactions"] == 2, "the control: it was charged"


def test_a_ledger_that_is_not_there_is_neither_good_nor_bad(bank: Bank) -> None:
    with bank.admin() as admin:
        admin.execute("ALTER SCHEMA ledger RENAME TO elsewhere")
    code, (last,) = run(bank)
    assert (code, last["message"]) == (2, "not read: the ledger is not as expected: UndefinedTable")
