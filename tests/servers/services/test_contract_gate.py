"""Schemathesis, which nobody here wrote, against every service through the edge's proxy and agent.

Behind them runs the service itself. What it would refuse for its form it answers here with 200, so that a violation
that the agent lets through is seen as one; what it refuses for its state (an unknown item, another currency) is 409,
which is no word about the form.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import catalog.app
import cover.app
from claims.app import Desk
from claims.app import application as claims_app
from common.carts import Carts
from common.client import Callee
from harness import books, carts
from orders.app import application as orders_app
from orders.placing import Callees
from payments.app import application
from servers.entry import DOCUMENTS, HOST, Entry, entry, estate
from servers.services.conftest import Bank, headers
from unit.services.serving import served
from unit.services.test_shop import Till

CHECKS = "not_a_server_error,negative_data_rejection,positive_data_acceptance"
EXAMPLES = 40


class Telling:
    """ASGI middleware: tells refusals of form from refusals of state, and who calls."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.seen = 0
        self.formal: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.seen += 1
        caller = headers()["x-forwarded-client-cert"].encode()
        known = [(name, value) for name, value in scope["headers"] if name != b"x-forwarded-client-cert"]
        start: Message = {}

        async def telling(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start["status"] in (400, 413, 415, 422):
                formal = json.loads(message["body"])["type"].endswith((":invalid-request", "about:blank"))
                start["status"] = 200 if formal else 409
                self.formal += [message["body"].decode()] if formal else []
            await send(start)
            await send(message)

        await self.app({**scope, "headers": [*known, (b"x-forwarded-client-cert", caller)]}, receive, telling)


@contextmanager
def service(name: str, bank: Bank) -> Iterator[FastAPI]:
    """The service with the services that it calls."""
    if name == "payments":
        yield application(bank.book)
        return
    with ExitStack() as stack:

        def start(app: FastAPI) -> str:
            return str(stack.enter_context(served(app)).base_url)

        goods = catalog.app.application(books.Goods.sown())
        if name in ("catalog", "cover"):
            yield goods if name == "catalog" else cover.app.describe()
            return
        covers, money = Callee("cover", start(cover.app.describe())), Callee("payments", start(Till().app()))
        if name == "claims":
            yield claims_app(Desk(covers, money, books.Claims()))
        else:
            callees = Callees(Callee("catalog", start(goods)), covers, money, Carts(carts.NOBODY))
            yield orders_app(callees, books.Orders())


@pytest.mark.parametrize("name", ["catalog", "claims", "cover", "orders", "payments"])
def test_no_violation_passes_and_no_valid_request_is_refused(name: str, bank: Bank, tmp_path: Path) -> None:
    with service(name, bank) as app:
        told = Telling(app)
        with served(told) as client, entry(tmp_path, estate(name), urlsplit(str(client.base_url)).port or 0) as edge:
            report = tmp_path / "report.json"
            done = run(edge, name, report)
            assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
            assert told.formal == [], "the document says all that the service asks of the form"
            assert told.seen > EXAMPLES / 2, "valid requests arrived"
            assert len(edge.lines("decision")) > EXAMPLES / 2, "and others were refused"


def run(edge: Entry, name: str, report: Path) -> subprocess.CompletedProcess[str]:
    command: list[object] = [Path(sys.executable).with_name("st"), "run", DOCUMENTS / f"{name}.json"]
    command += ["--url", f"http://127.0.0.1:{edge.port}", "--header", f"Host: {HOST}", "--exclude-path", "/healthz"]
    command += ["--phases", "coverage,fuzzing", "--checks", CHECKS, "--max-examples", str(EXAMPLES), "--seed", "1"]
    command += ["--continue-on-failure", "--no-color", "--suppress-health-check", "all"]
    return subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd=report.parent, timeout=300
    )
