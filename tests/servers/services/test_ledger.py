"""The ledger on a real PostgreSQL: its laws hold whatever the service or an attacker with its role does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servers.services.conftest import Bank, headers, money

BALANCES = "SELECT account_id, sum(amount)::bigint FROM ledger.entry GROUP BY 1 ORDER BY 1"


def rows(bank: Bank, query: str) -> list[tuple[object, ...]]:
    with bank.admin() as admin:
        return admin.execute(query).fetchall()


def test_a_charge_is_two_entries_and_a_refund_reverses_them(bank: Bank) -> None:
    charge = bank.charge(1500)
    assert rows(bank, BALANCES) == [("merchants:EUR", -1500), ("psp:EUR", 1500)]
    assert bank.post("refunds", {"charge_id": charge["id"], "amount": money(600)}).status_code == 201
    assert rows(bank, BALANCES) == [("merchants:EUR", -900), ("psp:EUR", 900)]
    assert bank.client.get(f"/charges/{charge['id']}").json()["refunded"] == 600


def test_a_repetition_has_no_second_effect(bank: Bank) -> None:
    first, again = bank.charge(key="k1"), bank.charge(key="k1")
    assert first == again
    assert rows(bank, "SELECT count(*) FROM ledger.transaction") == [(1,)]
    other = bank.post("charges", {"reference": "order-1", "amount": money(7)}, "k1")
    assert (other.status_code, other.json()["type"]) == (422, "urn:garrison:problem:key-reused")


def test_keys_belong_to_their_caller(bank: Bank) -> None:
    assert bank.charge(key="k1", caller="shop")["id"] != bank.charge(key="k1", caller="insurance")["id"]


def test_concurrent_repetitions_have_one_effect(bank: Bank) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(lambda _: bank.charge(key="same")["id"], range(16)))
    assert len(set(made)) == 1
    assert rows(bank, "SELECT count(*) FROM ledger.transaction") == [(1,)]


def test_refunds_never_exceed_their_charge_even_at_once(bank: Bank) -> None:
    body = {"charge_id": bank.charge(1000)["id"], "amount": money(300)}
    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(lambda _: bank.post("refunds", body).status_code, range(8)))
    assert sorted(codes) == [201, 201, 201, 422, 422, 422, 422, 422]
    assert rows(bank, BALANCES) == [("merchants:EUR", -100), ("psp:EUR", 100)]


def test_a_refund_in_another_currency_or_of_nothing_known_is_refused(bank: Bank) -> None:
    charge = bank.charge(1000)
    wrong = bank.post("refunds", {"charge_id": charge["id"], "amount": money(1, "USD")})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "urn:garrison:problem:wrong-currency")
    unknown = bank.post("refunds", {"charge_id": str(uuid4()), "amount": money(1)})
    assert unknown.status_code == 404
    assert bank.post("refunds", {"charge_id": charge["id"], "amount": money(1)}).status_code == 201


def as_writer(bank: Bank, *statements: str) -> None:
    with bank.admin() as admin, admin.transaction():
        admin.execute("SET LOCAL ROLE ledger_writer")
        admin.execute("SET LOCAL search_path = ledger")
        for statement in statements:
            admin.execute(statement)


def movement(amount: int, debit: int, credit: int, currency: str = "EUR") -> list[str]:
    tx = uuid4()
    return [
        "INSERT INTO intent (id, caller, key, fingerprint, kind, reference, amount, currency)"
        f" VALUES ('{tx}', 'c', '{tx}', 'f', 'charge', 'r', {amount}, 'EUR')",
        "INSERT INTO transaction (id, kind, reference, amount, currency, psp_reference, caller)"
        f" VALUES ('{tx}', 'charge', 'r', {amount}, 'EUR', 'p', 'c')",
        f"INSERT INTO entry VALUES ('{tx}', 1, 'psp:EUR', 'EUR', {debit})",
        f"INSERT INTO entry VALUES ('{tx}', 2, 'merchants:{currency}', '{currency}', {credit})",
    ]


def test_the_database_itself_refuses_what_does_not_balance(bank: Bank) -> None:
    bank.charge(1)
    bank.charge(1, "USD")
    as_writer(bank, *movement(5, 5, -5))
    for wrong in (movement(5, 5, -4), movement(5, 6, -6), movement(5, 5, -5)[:3], movement(5, 5, -5)[:2]):
        with pytest.raises(psycopg.errors.CheckViolation, match="does not balance"):
            as_writer(bank, *wrong)
    with pytest.raises(psycopg.errors.CheckViolation, match="does not balance"):
        as_writer(bank, *movement(5, 5, -5, "USD"))
    assert rows(bank, "SELECT count(*) FROM ledger.transaction") == [(3,)]


@pytest.mark.parametrize("role", ["ledger_writer", "ledger_owner", "postgres"])
@pytest.mark.parametrize("table", ["transaction", "entry", "idempotency", "intent"])
def test_what_is_written_stays_written(bank: Bank, role: str, table: str) -> None:
    bank.charge()
    for change in (f"DELETE FROM ledger.{table}", f"TRUNCATE ledger.{table} CASCADE"):
        with bank.admin() as admin, pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute(f"SET ROLE {role}")
            admin.execute(change)
    assert rows(bank, f"SELECT count(*) > 0 FROM ledger.{table}") == [(True,)]


def test_a_reader_sees_the_books_but_not_the_keys(bank: Bank) -> None:
    bank.charge()
    with bank.admin() as admin:
        admin.execute("SET ROLE ledger_reader")
        admin.execute("SELECT * FROM ledger.entry")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute("SELECT * FROM ledger.idempotency")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            admin.execute("INSERT INTO ledger.account VALUES ('x', 'asset', 'EUR')")


steps = st.lists(
    st.one_of(
        st.tuples(st.just("charge"), st.integers(1, 10**12), st.sampled_from(["EUR", "USD"])),
        st.tuples(st.just("refund"), st.integers(1, 10**12), st.integers(0, 9)),
        st.tuples(st.just("repeat"), st.integers(0, 9), st.none()),
    ),
    max_size=12,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_any_history_balances(bank: Bank, history: list[tuple[str, int, object]]) -> None:
    charges: list[dict[str, object]] = [dict(bank.charge(1))]
    keys: list[tuple[str, dict[str, object], str]] = []
    for verb, number, more in history:
        if verb == "charge":
            body: dict[str, object] = {"reference": "r", "amount": money(number, str(more))}
            keys.append((uuid4().hex, body, "charges"))
        elif verb == "refund" and charges:
            charge = charges[int(str(more)) % len(charges)]
            currency = charge["amount"]["currency"]  # type: ignore[index]
            keys.append((uuid4().hex, {"charge_id": charge["id"], "amount": money(number, currency)}, "refunds"))
        elif not keys:
            continue
        else:
            keys.append(keys[number % len(keys)])
        key, body, path = keys[-1]
        answer = bank.post(path, body, key)
        assert answer.status_code in {201, 422}
        if answer.status_code == 201 and path == "charges" and answer.json() not in charges:
            charges.append(answer.json())
    unbalanced = "SELECT transaction_id FROM ledger.entry GROUP BY 1 HAVING sum(amount) <> 0 OR count(*) <> 2"
    assert rows(bank, unbalanced) == []
    for charge in charges:
        now = bank.client.get(f"/charges/{charge['id']}", headers=headers()).json()
        assert 0 <= now["refunded"] <= now["amount"]["amount"]
