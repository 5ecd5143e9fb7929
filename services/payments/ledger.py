"""Double-entry bookkeeping: every movement is two entries that sum to zero, made once per key.

Each function runs inside one database transaction. The laws themselves (balance, append-only, nothing booked that was
not meant, no refund beyond its charge) are in the schema; here they only get their clean answers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
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

Answer = TypeVar("Answer", Charge, Refund)
# What the payment provider owes us, and what we owe the merchants; one of each per currency.
RECEIVABLE, PAYABLE = ("psp", "asset"), ("merchants", "liability")


@dataclass(frozen=True)
class Intent:
    """A movement that is meant, and not known to have happened. Its id is also the key under which it is asked for."""

    id: UUID
    key: str
    reference: str
    of: str = ""
    """What the provider calls the charge of which a refund is."""


def intend_charge(connection: Connection, request: ChargeRequest, key: str) -> Charge | Intent:
    """What came of this key before, or else the intent to take money."""
    kept = _kept(connection, key, request, Charge)
    return kept or _meant(connection, key, request, "charge", request.reference, None)


def intend_refund(connection: Connection, request: RefundRequest, key: str) -> Refund | Intent:
    """What came of this key before, or else the intent to give money back, which counts against its charge from now."""
    if kept := _kept(connection, key, request, Refund):
        return kept
    before = find(connection, request.charge_id)
    if before.amount.currency != request.amount.currency:
        raise Problem(422, f"the charge is in {before.amount.currency}", kind="wrong-currency")
    try:
        return _meant(connection, key, request, "refund", before.reference, before)
    except CheckViolation:
        raise Problem(422, "the refunds would exceed the charge", kind="refund-too-large") from None


def book_charge(connection: Connection, request: ChargeRequest, meant: Intent, reference: str) -> Charge:
    """The provider took it: it owes it to us, we owe it to the merchants."""

    def work() -> Charge:
        made = Charge(id=meant.id, reference=request.reference, amount=request.amount, psp_reference=reference)
        _record(connection, "charge", made, request.reference, None)
        _enter(connection, meant.id, request.amount, debit=RECEIVABLE, credit=PAYABLE)
        return made

    return _once(connection, meant.key, request, Charge, work)


def book_refund(connection: Connection, request: RefundRequest, meant: Intent, reference: str) -> Refund:
    """The provider gave it back: the same two accounts, the other way round."""

    def work() -> Refund:
        made = Refund(id=meant.id, charge_id=request.charge_id, amount=request.amount, psp_reference=reference)
        _record(connection, "refund", made, meant.reference, request.charge_id)
        _enter(connection, meant.id, request.amount, debit=PAYABLE, credit=RECEIVABLE)
        return made

    return _once(connection, meant.key, request, Refund, work)


def decline(connection: Connection, meant: Intent, reason: str) -> None:
    """The provider refused it for good."""
    connection.execute(
        "INSERT INTO declined (id, reason) VALUES (%s, %s) ON CONFLICT DO NOTHING", [meant.id, reason[:200]]
    )


def declined(reason: str) -> Problem:
    """What its caller is told, the first time and at every repetition."""
    return Problem(402, f"the payment provider declined: {reason}", kind="declined")


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


def _once(
    connection: Connection, key: str, request: BaseModel, answer: type[Answer], work: Callable[[], Answer]
) -> Answer:
    """The answer of `work`, kept; or the kept one when another with this key was faster."""
    if kept := _kept(connection, key, request, answer):
        return kept
    made = work()
    connection.execute(
        "INSERT INTO idempotency (caller, key, fingerprint, answer) VALUES (%s, %s, %s, %s)",
        [context.caller.get(), key, _fingerprint(request), Jsonb(made.model_dump(mode="json"))],
    )
    return made


def _kept(connection: Connection, key: str, request: BaseModel, answer: type[Answer]) -> Answer | None:
    """What this caller was answered when it used this key before.

    The lock makes a second request with the same key wait until the first is committed or gone.
    """
    caller = context.caller.get()
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 1))", [f"{caller} {key}"])
    row = connection.execute(
        "SELECT fingerprint, answer FROM idempotency WHERE caller = %s AND key = %s", [caller, key]
    ).fetchone()
    if row is None:
        return None
    _same(row[0], request)
    return answer.model_validate(row[1])


def _meant(
    connection: Connection,
    key: str,
    request: ChargeRequest | RefundRequest,
    kind: str,
    reference: str,
    of: Charge | None,
) -> Intent:
    """The intent of this key, made now or by a request that did not get to its end; a Problem where it was declined."""
    caller, theirs = context.caller.get(), of.psp_reference if of else ""
    row = connection.execute(
        "SELECT id, fingerprint, (SELECT reason FROM declined d WHERE d.id = i.id) FROM intent i"
        " WHERE caller = %s AND key = %s",
        [caller, key],
    ).fetchone()
    if row is not None:
        id, before, reason = row
        _same(before, request)
        if reason is not None:
            raise declined(str(reason))
        return Intent(UUID(str(id)), key, reference, theirs)
    made = Intent(uuid4(), key, reference, theirs)
    amount, currency = request.amount.amount, request.amount.currency
    connection.execute(
        "INSERT INTO intent (id, caller, key, fingerprint, kind, reference, amount, currency, charge_id)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [made.id, caller, key, _fingerprint(request), kind, reference, amount, currency, of.id if of else None],
    )
    return made


def _fingerprint(request: BaseModel) -> str:
    return hashlib.sha256(f"{type(request).__name__}:{request.model_dump_json()}".encode()).hexdigest()


def _same(before: object, request: BaseModel) -> None:
    if before != _fingerprint(request):
        raise Problem(422, "this key was used for another request", kind="key-reused")


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
