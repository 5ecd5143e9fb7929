"""The payments service. Ready only while its ledger answers; it needs nobody to restart it after that.

A movement is meant, asked for, and booked, in this order, each step whole before the next:

1. the intent is committed, and with it the movement's id;
2. the provider is asked under that id, and has one outcome for it, however often it is asked;
3. the outcome is committed: booked, or declined.

So whoever asks again after a crash or a timeout goes on where it stopped, with the same id. Nothing is booked that the
provider did not do; what it did and nobody asked about again stays an intent without an outcome (`ledger.open`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from fastapi import APIRouter, FastAPI

from common import settings
from common.app import create
from common.client import Callee
from common.credentials import CredentialsFile
from common.model import IdempotencyKey
from common.pool import Pool
from payments import ledger
from payments.model import Charge, ChargeRequest, Refund, RefundRequest
from payments.psp import Declined, Provider, key


class Book:
    """The ledger behind its pool. The schema is the database's own affair: no lease may change it."""

    def __init__(self, credentials: Path, provider: Provider) -> None:
        self.pool = Pool(CredentialsFile(credentials, schema="ledger", service="payments"))
        self.provider = provider

    def charge(self, request: ChargeRequest, key: str) -> Charge:
        """Take money, once per key."""
        meant = self.pool.run(lambda connection: ledger.intend_charge(connection, request, key))
        if isinstance(meant, Charge):
            return meant
        reference = self._done(meant, lambda: self.provider.charge(meant.id, request.reference, request.amount))
        return self.pool.run(lambda connection: ledger.book_charge(connection, request, meant, reference))

    def refund(self, request: RefundRequest, key: str) -> Refund:
        """Give money back, once per key."""
        meant = self.pool.run(lambda connection: ledger.intend_refund(connection, request, key))
        if isinstance(meant, Refund):
            return meant
        reference = self._done(meant, lambda: self.provider.refund(meant.id, meant.of, request.amount))
        return self.pool.run(lambda connection: ledger.book_refund(connection, request, meant, reference))

    def _done(self, meant: ledger.Intent, ask: Callable[[], str]) -> str:
        """The provider's reference for what it did; no transaction is open while it is asked."""
        try:
            return ask()
        except Declined as declined:
            reason = str(declined)
            self.pool.run(lambda connection: ledger.decline(connection, meant, reason))
            raise ledger.declined(reason) from None

    def find(self, id: UUID) -> Charge:
        """One charge."""
        return self.pool.run(lambda connection: ledger.find(connection, id))

    def ready(self) -> None:
        """A Problem unless the database answers and has its schema."""
        self.pool.check("transaction")

    def close(self) -> None:
        """Let go of every connection."""
        self.pool.close()
        self.provider.close()


def routes(book: Book) -> APIRouter:
    """The operations on `book`."""
    router = APIRouter(tags=["payments"])

    @router.post("/charges", status_code=201, operation_id="charge", summary="Take money")
    def charge(request: ChargeRequest, idempotency_key: IdempotencyKey) -> Charge:
        return book.charge(request, idempotency_key)

    @router.get("/charges/{id}", operation_id="getCharge", summary="A charge and its refunds")
    def get(id: UUID) -> Charge:
        return book.find(id)

    @router.post("/refunds", status_code=201, operation_id="refund", summary="Give money back")
    def refund(request: RefundRequest, idempotency_key: IdempotencyKey) -> Refund:
        return book.refund(request, idempotency_key)

    return router


def application(book: Book) -> FastAPI:
    """The service on a given ledger."""
    return create(
        "payments",
        "Charges and refunds, kept in a double-entry ledger.",
        routes(book),
        ready=book.ready,
        close=book.close,
    )


def build() -> FastAPI:
    """The service as it runs: where its secrets lie comes from the environment."""
    known = settings.file("PSP_API_KEY_FILE")
    provider = Provider(Callee("psp", settings.url("PSP_URL"), authorization=key(known)))
    return application(Book(settings.file("LEDGER_FILE"), provider))


def describe() -> FastAPI:
    """The service for its OpenAPI document."""
    return application(Book(Path("ledger.json"), Provider(Callee("psp", "http://callee"))))
