"""The payments service. Ready only while its ledger answers; it needs nobody to restart it after that."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from fastapi import APIRouter, FastAPI

from common import settings
from common.app import create
from common.credentials import CredentialsFile
from common.model import IdempotencyKey
from common.pool import Pool
from payments import ledger
from payments.model import Charge, ChargeRequest, Refund, RefundRequest
from payments.psp import Provider


class Book:
    """The ledger behind its pool. The schema is the database's own affair: no lease may change it."""

    def __init__(self, credentials: Path, provider: Provider) -> None:
        self.pool = Pool(CredentialsFile(credentials, schema="ledger", service="payments"))
        self.provider = provider

    def charge(self, request: ChargeRequest, key: str) -> Charge:
        """Take money, once per key."""
        return self.pool.run(lambda connection: ledger.charge(connection, request, key, self.provider.reference))

    def refund(self, request: RefundRequest, key: str) -> Refund:
        """Give money back, once per key."""
        return self.pool.run(lambda connection: ledger.refund(connection, request, key, self.provider.reference))

    def find(self, id: UUID) -> Charge:
        """One charge."""
        return self.pool.run(lambda connection: ledger.find(connection, id))

    def ready(self) -> None:
        """A Problem unless the database answers and has its schema."""
        self.pool.check("transaction")


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
        close=book.pool.close,
    )


def build() -> FastAPI:
    """The service as it runs: where its secrets lie comes from the environment."""
    provider = Provider(settings.file("PSP_API_KEY_FILE"))
    return application(Book(settings.file("LEDGER_FILE"), provider))


def describe() -> FastAPI:
    """The service for its OpenAPI document."""
    return application(Book(Path("ledger.json"), Provider(Path("key"))))
