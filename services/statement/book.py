"""What the ledger says: what moved on each account in a day, and whether all of it balances. It reads, and no more.

Days are of UTC. That movements balance is the database's own law; a job that has no part in writing them looks again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from common.pool import Connection

# One state of the ledger for all of it, however long it takes, and nothing that could be written.
ONE_STATE = ("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", "SET LOCAL statement_timeout = '5min'")
ACCOUNTS = """
SELECT a.id, a.kind, a.currency,
    coalesce(sum(e.amount) FILTER (WHERE t.created < %(start)s), 0),
    coalesce(sum(e.amount) FILTER (WHERE t.created >= %(start)s AND e.amount > 0), 0),
    coalesce(-sum(e.amount) FILTER (WHERE t.created >= %(start)s AND e.amount < 0), 0),
    coalesce(sum(e.amount), 0)
FROM account a LEFT JOIN (entry e JOIN transaction t ON t.id = e.transaction_id AND t.created < %(end)s)
    ON e.account_id = a.id
GROUP BY a.id ORDER BY a.id
"""
# Entries have to be in the transaction's currency, sum to zero, and move its amount: so there are two of them at least.
UNBALANCED = """
SELECT t.id, t.amount, coalesce(sum(e.amount), 0) FROM transaction t LEFT JOIN entry e ON e.transaction_id = t.id
GROUP BY t.id
HAVING sum(e.amount) <> 0 OR bool_or(e.currency <> t.currency)
    OR sum(e.amount) FILTER (WHERE e.amount > 0) IS DISTINCT FROM t.amount
ORDER BY t.created, t.id
"""
COUNTED = "SELECT count(*) FROM transaction"


@dataclass(frozen=True)
class Account:
    """One account in a day, in minor units: a debit is positive, a credit negative."""

    day: date
    account: str
    kind: str
    currency: str
    opening: int
    debit: int
    credit: int
    closing: int


@dataclass(frozen=True)
class Unbalanced:
    """A transaction whose entries do not say what it says: its amount, and what is over."""

    transaction: str
    amount: int
    over: int


@dataclass(frozen=True)
class Books:
    """The ledger in one state: each account in each day, and what of all transactions ever does not balance."""

    accounts: tuple[Account, ...]
    transactions: int
    unbalanced: tuple[Unbalanced, ...]


def read(connection: Connection, today: date) -> Books:
    """The day before, which is over, and today as far as it has come."""
    for statement in ONE_STATE:
        connection.execute(statement)
    days = (today - timedelta(days=1), today)
    wrong = tuple(
        Unbalanced(str(id), _whole(amount), _whole(over)) for id, amount, over in _rows(connection, UNBALANCED)
    )
    ((count,),) = _rows(connection, COUNTED)
    return Books(tuple(one for day in days for one in _in(connection, day)), _whole(count), wrong)


def _in(connection: Connection, day: date) -> Iterator[Account]:
    start = datetime.combine(day, time(), UTC)
    for id, kind, currency, *sums in _rows(connection, ACCOUNTS, start=start, end=start + timedelta(days=1)):
        yield Account(day, str(id), str(kind), str(currency), *map(_whole, sums))


def _rows(connection: Connection, query: str, **values: object) -> list[tuple[Any, ...]]:
    return connection.execute(query, values or None).fetchall()


def _whole(number: Any) -> int:
    """PostgreSQL sums without a bound, as decimals of no fraction."""
    return int(number)
