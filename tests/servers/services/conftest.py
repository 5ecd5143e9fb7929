"""A real PostgreSQL for the ledger, with the roles the estate gives it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from common.client import Callee
from harness.postgres import Server, throw_away
from payments.app import Book, application
from payments.psp import Provider, key
from provider.account import GREATEST, Account
from provider.app import Provider as Psp
from unit.services.serving import served

ROLES = """
CREATE ROLE ledger_owner NOLOGIN;
CREATE ROLE ledger_reader NOLOGIN;
CREATE ROLE ledger_writer NOLOGIN NOINHERIT;
"""
SCHEMA = Path(__file__).parents[3] / "stacks" / "schema" / "ledger"
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


@dataclass
class Bank:
    """A database of its own, a lease file, the service on both, and the provider that it asks."""

    server: Server
    database: str
    lease_file: Path
    book: Book
    client: httpx.Client
    account: Wavering
    psp: str

    def admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host=str(self.server.home), user="postgres", dbname=self.database, autocommit=True)

    def lease(self, role: str = "ledger_writer") -> str:
        """Grant a new lease and put it in the file, as the agent does: written beside, then renamed."""
        user = f"lease_{uuid4().hex[:8]}"
        with self.admin() as admin:
            admin.execute(f"CREATE ROLE \"{user}\" LOGIN PASSWORD 'planted-password' IN ROLE {role}")
        said = {"host": str(self.server.home), "port": 5432, "database": self.database}
        fresh = self.lease_file.with_suffix(".new")
        fresh.write_text(json.dumps({**said, "username": user, "password": "planted-password"}))
        fresh.replace(self.lease_file)
        return user

    def revoke(self, user: str) -> None:
        """What the secret store does at the end of a lease."""
        with self.admin() as admin:
            admin.execute(f'ALTER ROLE "{user}" NOLOGIN')
            admin.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = %s", [user])
            admin.execute(f'DROP ROLE "{user}"')

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
        with psycopg.connect(server.conninfo, autocommit=True) as admin:
            admin.execute(ROLES)
        yield server


@pytest.fixture
def bank(server: Server, tmp_path: Path) -> Iterator[Bank]:
    name = f"ledger_{uuid4().hex[:8]}"
    with psycopg.connect(server.conninfo, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} OWNER ledger_owner")
    with psycopg.connect(host=str(server.home), user="postgres", dbname=name, autocommit=True) as admin:
        admin.execute("SET ROLE ledger_owner")
        for step in sorted(SCHEMA.glob("*.sql")):
            admin.execute(step.read_bytes())
    (tmp_path / "psp-key").write_text(PSP_KEY)
    (tmp_path / "psp-key.sha256").write_text(sha256(PSP_KEY.encode()).hexdigest())
    with psp(tmp_path / "psp-key.sha256") as (account, url):
        book = Book(tmp_path / "ledger.json", asking(url, tmp_path / "psp-key"))
        with served(application(book)) as client:
            bank = Bank(server, name, tmp_path / "ledger.json", book, client, account, url)
            bank.lease()
            yield bank
