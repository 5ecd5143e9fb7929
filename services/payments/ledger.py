"""Double-entry bookkeeping: every movement is two entries that sum to zero, made once per key.

Each function runs inside one database transaction. The laws themselves (balance, append-only, no
refund beyond its charge) are in the schema; here they only get their clean answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID, uuid4

from psycopg.errors import CheckViolation
from psycopg.types.json import Jsonb
from pydantic import BaseModel

from common import context
from common.model import Money
from common.pool import Connection
from common.problem import Problem
from payments.model import Charge, ChargeRequest, Refund, RefundRequest

Answer = TypeVar("Answer", bound=BaseModel)
Sign = Callable[[UUID], str]
# What the payment provider owes us, and what we owe the merchants; one of each per currency.
RECEIVABLE, PAYABLE = ("psp", "asset"), ("merchants", "liability")


def charge(connection: Connection, request: ChargeRequest, key: str, sign: Sign) -> Charge:
    """Take money: the provider owes it to us, we owe it to the merchants."""

    def work() -> Charge:
        id = uuid4()
        made = Charge(id=id, reference=request.reference, amount=request.amount, psp_reference=sign(id))
        _record(connection, "charge", made, request.reference, None)
        _enter(connection, id, request.amount, debit=RECEIVABLE, credit=PAYABLE)
        return made

    return once(connection, key, request, Charge, work)


def refund(connection: Connection, request: RefundRequest, key: str, sign: Sign) -> Refund:
    """Give money back: the same two accounts, the other way round."""

    def work() -> Refund:
        before = find(connection, request.charge_id)
        if before.amount.currency != request.amount.currency:
            raise Problem(422, f"the charge is in {before.amount.currency}", kind="wrong-currency")
        id = uuid4()
        made = Refund(id=id, charge_id=before.id, amount=request.amount, psp_reference=sign(id))
        try:
            _record(connection, "refund", made, before.reference, before.id)
        except CheckViolation:
            raise Problem(422, "the refunds would exceed the charge", kind="refund-too-large") from None
        _enter(connection, id, request.amount, debit=PAYABLE, credit=RECEIVABLE)
        return made

    return once(connection, key, request, Refund, work)


def find(connection: Connection, id: UUID) -> Charge:
    """A charge and what of it has been refunded."""
    row = connection.execute(
        "SELECT reference, amount, currency, psp_reference, coalesce((SELECT sum(amount) FROM"
        " transaction r WHERE r.charge_id = c.id), 0)::bigint FROM transaction c"
        " WHERE id = %s AND kind = 'charge'",
        [id],
    ).fetchone()
    if row is None:
        raise Problem(404, f"there is no charge {id}", kind="unknown-charge")
    reference, amount, currency, psp_reference, refunded = row
    return Charge.model_validate(
        {
            "id": id,
            "reference": reference,
            "amount": {"amount": amount, "currency": currency},
            "refunded": refunded,
            "psp_reference": psp_reference,
        }
    )


def once(
    connection: Connection,
    key: str,
    request: BaseModel,
    answer: type[Answer],
    work: Callable[[], Answer],
) -> Answer:
    """The answer of `work`, or the kept one when this caller has used this key before.

    The lock makes a second request with the same key wait until the first is committed or gone.
    """
    caller = context.caller.get()
    sent = f"{type(request).__name__}:{request.model_dump_json()}"
    fingerprint = hashlib.sha256(sent.encode()).hexdigest()
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [f"{caller} {key}"])
    row = connection.execute(
        "SELECT fingerprint, answer FROM idempotency WHERE caller = %s AND key = %s", [caller, key]
    ).fetchone()
    if row is None:
        made = work()
        connection.execute(
            "INSERT INTO idempotency (caller, key, fingerprint, answer) VALUES (%s, %s, %s, %s)",
            [caller, key, fingerprint, Jsonb(made.model_dump(mode="json"))],
        )
        return made
    if row[0] != fingerprint:
        raise Problem(422, "this key was used for another request", kind="key-reused")
    return answer.model_validate(row[1])


def _record(connection: Connection, kind: str, made: Charge | Refund, reference: str, of: UUID | None) -> None:
    connection.execute(
        "INSERT INTO transaction (id, kind, reference, amount, currency, charge_id, psp_reference,"
        " caller) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            made.id,
            kind,
            reference,
            made.amount.amount,
            made.amount.currency,
            of,
            made.psp_reference,
            context.caller.get(),
        ],
    )


def _enter(
    connection: Connection,
    id: UUID,
    amount: Money,
    *,
    debit: tuple[str, str],
    credit: tuple[str, str],
) -> None:
    sides = ((1, debit, amount.amount), (2, credit, -amount.amount))
    for line, (name, kind), signed in sides:
        account = f"{name}:{amount.currency}"
        connection.execute(
            "INSERT INTO account (id, kind, currency) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [account, kind, amount.currency],
        )
        connection.execute(
            "INSERT INTO entry (transaction_id, line, account_id, currency, amount) VALUES (%s, %s, %s, %s, %s)",
            [id, line, account, amount.currency, signed],
        )
