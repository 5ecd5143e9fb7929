"""A real PostgreSQL with the roles that the estate gives it, and the bank on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from common.client import Callee
from harness.postgres import Server, throw_away
from payments.app import Book, application
from payments.psp import Provider, key
from provider.account import GREATEST, Account
from provider.app import Provider as Psp
from servers.services.databases import Database, make_roles
from unit.services.serving import served

PSP_KEY = "planted-psp-key"


class Wavering(Account):
    """The provider's account, good for anything; `before` and `after` happen around each movement."""

    def __init__(self) -> None:
        super().__init__(limit=GREATEST)
        self.asked: list[str] = []
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def _once(self, what: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(key)
        self.before()
        try:
            return super()._once(what, key, body)
        finally:
            self.after()


@contextmanager
def psp(keys: Path) -> Iterator[tuple[Wavering, str]]:
    """A running provider, which knows whose key has its SHA-256 in that file. TLS is the gateway's affair."""
    account = Wavering()
    server = Psp(("127.0.0.1", 0), account, keys)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield account, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def asking(url: str, key_file: Path) -> Provider:
    """The provider as payments has it."""
    return Provider(Callee("psp", url, authorization=key(key_file)))


@dataclass(kw_only=True)
class Bank(Database):
    """The ledger's database, the service on it, and the provider that it asks."""

    book: Book
    client: httpx.Client
    account: Wavering
    psp: str

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
    (tmp_path / "psp-key").write_text(PSP_KEY)
    (tmp_path / "psp-key.sha256").write_text(sha256(PSP_KEY.encode()).hexdigest())
    ledger = Database.make(server, "ledger", tmp_path)
    with psp(tmp_path / "psp-key.sha256") as (account, url):
        book = Book(ledger.lease_file, asking(url, tmp_path / "psp-key"))
        with served(application(book)) as client:
            yield Bank(**vars(ledger), book=book, client=client, account=account, psp=url)
