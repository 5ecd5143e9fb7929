"""The storefront without a cluster: the real page, catalogue and orders on loopback, behind one origin as at the edge.

    python -m harness.storefront

writes the pictures of docs/services.md with a real browser.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
from playwright.sync_api import Browser, Page, ViewportSize
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

import catalog.app
import storefront.app
from common.carts import Carts
from common.client import Callee
from common.model import Money
from cover.model import premium
from harness import books, browser, carts, paths
from harness.errors import HarnessError
from harness.serving import served
from orders.app import application
from orders.placing import Callees

PICTURES = paths.REPO / "docs"
DESK, PHONE = ViewportSize(width=1280, height=860), ViewportSize(width=390, height=844)
SHOWN: tuple[tuple[str, ViewportSize, Literal["light", "dark"], bool], ...] = (
    ("storefront", DESK, "light", False),
    ("storefront-order", DESK, "light", True),
    ("storefront-dark", DESK, "dark", True),
    ("storefront-phone", PHONE, "light", False),
    ("storefront-phone-dark", PHONE, "dark", True),
)
GOODS = books.Goods.sown()
WEN = {"sub": "6f1d3c5e-wen", "name": "wen", "groups": ["customers"]}


@dataclass
class Edge:
    """What stands before the services, as they see it: it routes by path and says who the user is."""

    user: Mapping[str, Any] | None = field(default_factory=lambda: dict(WEN))
    refusals: dict[tuple[str, str], Response] = field(default_factory=dict)
    """What is answered to a method and a path instead of what the service would."""
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of every request."""

    def __post_init__(self) -> None:
        page = storefront.app.application(Carts(carts.NOBODY))
        self._routes: dict[str, ASGIApp] = {
            "items": catalog.app.application(GOODS),
            "orders": application(_callees(), books.Orders()),
            **dict.fromkeys(("", "assets", "me"), page),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._routes[""](scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        headers = [(name, value) for name, value in scope["headers"] if name != b"x-verified-claims"]
        self.seen.append((method, path, {name.decode(): value.decode() for name, value in headers}))
        if self.user is not None:
            claims = base64.urlsafe_b64encode(json.dumps(self.user).encode()).rstrip(b"=")
            headers.append((b"x-verified-claims", claims))
        known = self._routes.get(path.split("/")[1], Response(status_code=404))
        await self.refusals.get((method, path), known)({**scope, "headers": headers}, receive, send)


def answer(request: httpx.Request) -> httpx.Response:
    """What the callees of orders answer when all is well."""
    asked = json.loads(request.content or b"{}")
    if request.url.path == "/quotes":
        return httpx.Response(201, json={"id": "quote", "premium": premium(Money(**asked["value"])).model_dump()})
    if request.url.path == "/charges":
        return httpx.Response(201, json={"id": "charge", "amount": asked["amount"]})
    item = GOODS.item(request.url.path.rpartition("/")[2])
    return httpx.Response(200, json=item.model_dump()) if item else httpx.Response(404, json={"detail": "no item"})


def _callees() -> Callees:
    catalog, cover, payments = (
        Callee(name, "http://callee", transport=httpx.MockTransport(answer))
        for name in ("catalog", "cover", "payments")
    )
    return Callees(catalog, cover, payments, Carts(carts.NOBODY))


@contextmanager
def running(edge: Edge) -> Iterator[str]:
    """The address of the shop behind `edge`."""
    with served(edge) as client:
        yield str(client.base_url).rstrip("/")


def fill(page: Page) -> None:
    """Put two hammers and nails into the order."""
    page.get_by_label("Quantity of Hammer").fill("2")
    page.get_by_label("Quantity of Nails").fill("1")
    page.get_by_label("Quantity of Nails").blur()


def pictures(chromium: Browser, folder: Path) -> None:
    """The shop at a desk and on a phone, in light and in the dark, being chosen from and paid."""
    with running(Edge()) as address:
        for name, size, scheme, order in SHOWN:
            page = chromium.new_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
            page.goto(address)
            page.get_by_text("wen").wait_for()
            fill(page)
            if order:
                page.get_by_role("button", name="Place the order").click()
                page.get_by_role("heading", name="Thank you").wait_for()
            page.screenshot(path=folder / f"{name}.png")
            page.close()


def main(arguments: list[str]) -> int:
    """The command line; see the top of this file."""
    if arguments:
        raise HarnessError("it takes no arguments")
    with browser.started() as chromium:
        pictures(chromium, PICTURES)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except HarnessError as problem:
        sys.exit(f"storefront: {problem}")
