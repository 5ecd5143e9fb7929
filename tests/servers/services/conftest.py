"""A real PostgreSQL with the roles that the estate gives it, and the bank on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from harness.postgres import Server, throw_away
from payments.app import Book, application
from payments.psp import Provider
from servers.services.databases import Database, make_roles
from unit.services.serving import served

PSP_KEY = "planted-psp-key"


@dataclass(kw_only=True)
class Bank(Database):
    """The ledger's database, and the service on it."""

    book: Book
    client: httpx.Client

    def charge(
        self, amount: int = 1000, currency: str = "EUR", *, key: str = "", caller: str = "shop"
    ) -> dict[str, str]:
        answer = self.post("charges", {"reference": "order-1", "amount": money(amount, currency)}, key, caller)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def post(self, path: str, body: object, key: str = "", caller: str = "shop") -> httpx.Response:
        return self.client.post(f"/{path}", json=body, headers=headers(key, caller))


def headers(key: str = "", caller: str = "shop") -> dict[str, str]:
    identity = f"By=spiffe://estate.example/ns/bank/sa/payments;URI=spiffe://estate.example/ns/{caller}/sa/x"
    return {"idempotency-key": key or uuid4().hex, "x-forwarded-client-cert": identity}


def money(amount: int, currency: str = "EUR") -> dict[str, object]:
    return {"amount": amount, "currency": currency}


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with throw_away() as server:
        make_roles(server)
        yield server


@pytest.fixture
def bank(server: Server, tmp_path: Path) -> Iterator[Bank]:
    key = tmp_path / "psp-key"
    key.write_text(PSP_KEY)
    ledger = Database.make(server, "ledger", tmp_path)
    book = Book(ledger.lease_file, Provider(key))
    with served(application(book)) as client:
        yield Bank(**vars(ledger), book=book, client=client)
