"""The storefront service: a page of three files without a framework, under a policy that lets in nothing else.

And the user's cart, which only a service of gRPC keeps.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Response
from fastapi import Path as InPath
from pydantic import Field

from common import context, settings
from common.app import create
from common.carts import Carts, Lines
from common.client import Refused
from common.limits import MAX_QUANTITY
from common.model import Closed, Identifier, Whole
from common.problem import Problem

PAGES = Path(__file__).with_name("pages")
# Nothing but the page's own files and its own origin; no markup from text, nowhere framed, no form sent anywhere.
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}
HEADERS = {
    "content-security-policy": "; ".join(f"{what} {where}" for what, where in POLICY.items()),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "private, no-cache",  # kept, and asked for again each time: a new release is seen at once
}
TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
NAMES = ("preferred_username", "name")  # claims with a name that people know, the best first

Name = Annotated[str, InPath(pattern=r"^[a-z]{1,20}\.(css|js|svg)$", examples=["shop.css"])]
Known = Annotated[str, Header(alias="if-none-match", description="the version that the browser has")]


class Me(Closed):
    """Who is logged in, as their token says."""

    name: str
    groups: list[str]


class Line(Closed):
    """How many of an item."""

    id: Identifier
    quantity: Annotated[int, Field(strict=True, ge=1, le=MAX_QUANTITY), Whole]


class Cart(Closed):
    """What the user means to buy."""

    items: list[Line]

    @classmethod
    def of(cls, lines: Lines) -> Cart:
        """The cart as its keeper says it."""
        return cls(items=[Line(id=item, quantity=quantity) for item, quantity in lines])


class Page:
    """One file, read at the start, with the headers it always has."""

    def __init__(self, file: Path) -> None:
        self.content = file.read_bytes()
        self.media_type = TYPES[file.suffix]
        self.tag = f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'

    def answer(self, known: str) -> Response:
        """The file, or that the browser has it already."""
        headers = HEADERS | {"etag": self.tag}
        if self.tag in known:
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.media_type, headers=headers)


def routes(pages: dict[str, Page], carts: Carts) -> APIRouter:
    """The operations on given files, and on the carts."""
    router = APIRouter(tags=["storefront"])

    @router.get("/", operation_id="shop", summary="The shop", response_class=Response)
    def shop(known: Known = "") -> Response:
        return pages["shop.html"].answer(known)

    @router.get("/assets/{name}", operation_id="asset", summary="What the page consists of", response_class=Response)
    def asset(name: Name, known: Known = "") -> Response:
        if name not in pages:
            raise Problem(404, f"there is no {name}", kind="unknown-asset")
        return pages[name].answer(known)

    @router.get("/me", operation_id="me", summary="Who is logged in")
    def me(response: Response) -> Me:
        claims = context.request().claims
        if not claims:
            raise Problem(401, "nobody is logged in", kind="no-user")
        response.headers["cache-control"] = "no-store"
        name = next((claims[name] for name in NAMES if isinstance(claims.get(name), str)), context.subject())
        groups = claims.get("groups")
        return Me(name=name, groups=[one for one in groups if isinstance(one, str)] if isinstance(groups, list) else [])

    @router.get("/cart", operation_id="showCart", summary="What is in the cart")
    def cart(response: Response) -> Cart:
        response.headers["cache-control"] = "no-store"
        return Cart.of(carts.lines())

    @router.post("/cart", operation_id="addToCart", summary="Put more of an item into the cart")
    def add(line: Line) -> Cart:
        try:
            return Cart.of(carts.add(line.id, line.quantity))
        except Refused as refused:
            raise Problem(422, refused.detail, kind="not-added") from None

    return router


def application(carts: Carts) -> FastAPI:
    """The service on given carts."""
    pages = {file.name: Page(file) for file in sorted(PAGES.iterdir()) if file.suffix in TYPES}
    return create("storefront", "The shop in a browser.", routes(pages, carts), close=carts.close)


def build() -> FastAPI:
    """The service as it runs: its callee from the environment."""
    return application(Carts(settings.address("CART_ADDR")))


def describe() -> FastAPI:
    """The service for its OpenAPI document."""
    return application(Carts("callee:1"))
