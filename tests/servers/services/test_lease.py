"""The payments service and its lease: it follows every rotation, and an absent database is a clean 503."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from common.log import JsonLines
from payments.app import Book, application
from servers.services.conftest import PSP_KEY, Bank, asking, headers, money
from unit.services.serving import served


def users(bank: Bank) -> set[object]:
    query = "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = %s AND application_name = 'payments'"
    with bank.admin() as admin:
        return {row[0] for row in admin.execute(query, [bank.database])}


def test_ten_rotations_under_load_lose_nothing(bank: Bank) -> None:
    stop, codes = threading.Event(), []

    def load(worker: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            body = {"reference": f"w{worker}-{count}", "amount": money(1)}
            codes.append(bank.post("charges", body).status_code)

    user = bank.lease()
    bank.charge()
    with ThreadPoolExecutor(4) as threads:
        workers = [threads.submit(load, worker) for worker in range(4)]
        try:
            for _ in range(10):
                before, old, user = len(codes), user, bank.lease()
                while len(codes) < before + 8:  # every worker has met the new lease
                    stop.wait(0.01)
                bank.revoke(old)
                assert users(bank) <= {user}
        finally:  # or the workers would go on for ever
            stop.set()
        for done in workers:
            done.result()
    assert set(codes) == {201}
    with bank.admin() as admin:
        assert admin.execute("SELECT count(*) FROM ledger.transaction").fetchone() == (len(codes) + 1,)


def test_a_connection_cut_in_the_middle_is_replaced(bank: Bank) -> None:
    user = bank.lease()
    bank.charge()
    with bank.admin() as admin:
        cut = admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [user])
        assert cut.fetchall() == [(True,)]
    bank.charge()


def test_a_revoked_lease_gets_nothing_more(bank: Bank) -> None:
    user = bank.lease()
    bank.charge()
    bank.revoke(user)
    refused = bank.post("charges", {"reference": "r", "amount": money(1)})
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:garrison:problem:ledger-unavailable")
    bank.lease()
    bank.charge()


def test_ready_only_while_the_database_answers(bank: Bank) -> None:
    assert bank.client.get("/healthz").status_code == 200
    bank.server.stop()
    try:
        down = bank.client.get("/healthz")
        assert (down.status_code, down.headers["retry-after"]) == (503, "1")
        assert bank.post("charges", {"reference": "r", "amount": money(1)}).status_code == 503
    finally:
        bank.server.start()
    assert bank.client.get("/healthz").status_code == 200
    bank.charge()


def test_starting_before_the_secrets_are_there(tmp_path: Path, bank: Bank) -> None:
    late = tmp_path / "late.json"
    with served(application(Book(late, asking(bank.psp, tmp_path / "psp-key")))) as client:
        assert client.get("/healthz").status_code == 503
        late.write_text(bank.lease_file.read_text()[:20])
        assert client.get("/healthz").status_code == 503
        late.write_text(bank.lease_file.read_text())
        assert client.get("/healthz").status_code == 200


def test_without_its_schema_it_is_not_ready(bank: Bank) -> None:
    assert bank.client.get("/healthz").status_code == 200
    with bank.admin() as admin:
        admin.execute("ALTER SCHEMA ledger RENAME TO elsewhere")
        assert bank.client.get("/healthz").status_code == 503
        admin.execute("ALTER SCHEMA elsewhere RENAME TO ledger")
    assert bank.client.get("/healthz").status_code == 200


def test_a_slow_statement_is_cut_short(bank: Bank) -> None:
    bank.charge()
    with bank.admin() as admin, admin.transaction():
        admin.execute("LOCK TABLE ledger.transaction IN ACCESS EXCLUSIVE MODE")
        slow = bank.post("charges", {"reference": "r", "amount": money(1)})
    assert slow.status_code == 503
    bank.charge()


def test_no_secret_is_ever_logged(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    charge = bank.charge()
    bank.server.stop()
    try:
        bank.post("charges", {"reference": "r", "amount": money(1)})
    finally:
        bank.server.start()
    bank.lease_file.write_text("planted-password, half a file")
    bank.post("charges", {"reference": "r", "amount": money(1)})
    said = "\n".join(JsonLines("payments").format(record) for record in caplog.records)
    assert "database unavailable" in said
    assert "no database credentials" in said
    for secret in ("planted-password", PSP_KEY):
        assert secret not in said
        assert secret not in str(charge)


def test_an_unexpected_error_is_a_problem_without_details(bank: Bank) -> None:
    bank.charge()
    with bank.admin() as admin:
        admin.execute("REVOKE INSERT ON ledger.entry FROM ledger_writer")
    answer = bank.post("charges", {"reference": "r", "amount": money(1)})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "entry" not in answer.text
    with bank.admin() as admin, pytest.raises(psycopg.errors.UndefinedTable):
        admin.execute("SELECT * FROM ledger.nothing")
    assert bank.client.get("/healthz", headers=headers()).status_code == 200
