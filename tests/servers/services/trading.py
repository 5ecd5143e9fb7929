"""Orders and claims as the estate has them, in several replicas on one real PostgreSQL, with a word at every step."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import catalog.app
import claims.app
import cover.app
import orders.app
import payments.app
from catalog.store import Catalogue
from claims.app import Desk
from claims.store import Register
from common.carts import Carts
from common.client import Callee
from common.decision import Decisions
from harness import carts, paths
from harness.ports import free_port
from harness.postgres import Server
from orders.app import Publisher
from orders.placing import Callees
from orders.store import Orderbook
from payments.app import Book
from servers.services.conftest import Bank
from servers.services.databases import Database
from unit.services.serving import served

NAMES = ("catalog", "cover", "payments")


@dataclass
class Steps:
    """What happens where a replica asks another service for something; nothing until it is told."""

    at: str = ""
    act: Callable[[], None] = lambda: None

    def tell(self, at: str, act: Callable[[], None]) -> None:
        """Do it at the next step of that name, once."""
        self.at, self.act = at, act

    def come(self, step: str) -> bool:
        """Whether it was this one."""
        if step != self.at:
            return False
        self.at = ""
        self.act()
        return True


@dataclass
class Gate:
    """ASGI middleware with a step before a request is served, which it then is not, and one before it is answered."""

    app: ASGIApp
    name: str
    steps: Steps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        said: list[Message] = []

        async def hold(message: Message) -> None:
            said.append(message)

        if self.steps.come(f"before {self.name}"):
            await Response(status_code=503)(scope, receive, send)
            return
        await self.app(scope, receive, hold)
        self.steps.come(f"after {self.name}")
        for message in said:
            await send(message)


@dataclass
class Trolley(carts.Memory):
    """A cart with a step before it is cleared, which it then is not."""

    steps: Steps = field(default_factory=Steps)

    def clear(self, cart: str, order: str) -> None:
        if not self.steps.come("before clear"):
            super().clear(cart, order)


@dataclass
class Trade:
    """The databases, the services that orders and claims call, and replicas of these two."""

    bank: Bank
    orderbook: Database
    register: Database
    catalogue: Database
    addresses: dict[str, str]
    trolley: Trolley
    cart: str
    steps: Steps
    stack: ExitStack

    def orders(self, decisions: Decisions | None = None, events: Publisher | None = None) -> httpx.Client:
        """One more replica."""
        catalog, cover, payments = (Callee(name, self.addresses[name]) for name in NAMES)
        callees, book = Callees(catalog, cover, payments, Carts(self.cart)), Orderbook(self.orderbook.lease_file)
        return self.stack.enter_context(served(orders.app.application(callees, book, decisions, events)))

    def claims(self) -> httpx.Client:
        """One more replica."""
        cover, payments = (Callee(name, self.addresses[name]) for name in NAMES[1:])
        desk = Desk(cover, payments, Register(self.register.lease_file))
        return self.stack.enter_context(served(claims.app.application(desk)))

    def started(self, service: str) -> tuple[subprocess.Popen[bytes], httpx.Client]:
        """One more replica, as a process that can be killed."""
        port = free_port()
        env = {f"{name.upper()}_URL": address for name, address in self.addresses.items()}
        env |= {"CART_ADDR": self.cart, "NATS_ADDR": carts.NOBODY, "PORT": str(port)}
        env |= {f"{one.schema.upper()}_FILE": str(one.lease_file) for one in (self.orderbook, self.register)}
        env |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.REPO / "services")}
        process = subprocess.Popen([sys.executable, "-m", service], env=env, stdout=subprocess.DEVNULL)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        client = self.stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20))
        pause = threading.Event()
        while True:
            assert process.poll() is None, f"{service} did not start"
            try:
                assert client.get("/healthz").status_code == 200
                return process, client
            except httpx.ConnectError:
                pause.wait(0.05)


@contextmanager
def trading(server: Server, bank: Bank, folder: Path) -> Iterator[Trade]:
    """Everything but the replicas."""
    steps = Steps()
    orderbook, register = (Database.make(server, name, folder) for name in ("orderbook", "register"))
    catalogue = Database.make(server, "catalogue", folder, role="reader")
    apps: dict[str, FastAPI] = {
        "catalog": catalog.app.application(Catalogue(catalogue.lease_file)),
        "cover": cover.app.build(),
        "payments": payments.app.application(Book(bank.lease_file, bank.book.provider)),
    }
    with ExitStack() as stack:
        running = {name: stack.enter_context(served(Gate(app, name, steps))) for name, app in apps.items()}
        addresses = {name: str(client.base_url) for name, client in running.items()}
        trolley = Trolley(steps=steps)
        cart = stack.enter_context(carts.running(trolley))
        yield Trade(bank, orderbook, register, catalogue, addresses, trolley, cart, steps, stack)


@pytest.fixture
def trade(server: Server, bank: Bank, tmp_path: Path) -> Iterator[Trade]:
    with trading(server, bank, tmp_path) as trade:
        yield trade
