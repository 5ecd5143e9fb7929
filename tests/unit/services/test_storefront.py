"""The storefront's files and headers, and who it says is logged in; what a browser makes of it is in tests/servers."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

import storefront.app
from common.carts import Carts
from harness import carts
from storefront.app import PAGES, POLICY
from unit.services.serving import served
from unit.services.test_shop import verified


@pytest.fixture(scope="module")
def shop() -> Iterator[httpx.Client]:
    with carts.running(carts.Memory()) as address, served(storefront.app.application(Carts(address))) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/assets/shop.css", "text/css; charset=utf-8"),
        ("/assets/shop.js", "text/javascript; charset=utf-8"),
        ("/assets/icon.svg", "image/svg+xml"),
    ],
)
def test_every_file_comes_with_its_type_and_the_policy(shop: httpx.Client, path: str, kind: str) -> None:
    answer = shop.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    said = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert said == POLICY
    assert (said["default-src"], said["frame-ancestors"], said["base-uri"]) == ("'none'",) * 3
    assert not re.search(r"unsafe|data:|https?:|\*", " ".join(said.values()))
    assert (answer.headers["x-content-type-options"], answer.headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert "camera=()" in answer.headers["permissions-policy"]


def test_a_file_that_the_browser_has_is_not_sent_again(shop: httpx.Client) -> None:
    tag = shop.get("/assets/shop.css").headers["etag"]
    again = shop.get("/assets/shop.css", headers={"if-none-match": f'"other", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert shop.get("/assets/shop.js", headers={"if-none-match": tag}).status_code == 200


@pytest.mark.parametrize("name", ["shop.html", "none.css", "app.py", "..%2fapp.py", "shop.css%00"])
def test_nothing_else_is_a_file_of_the_page(shop: httpx.Client, name: str) -> None:
    assert shop.get(f"/assets/{name}").status_code in (404, 422)


def test_the_page_has_no_code_and_no_style_within() -> None:
    """The policy would not run it: whoever adds some sees it here and not in a silent page."""
    text = (PAGES / "shop.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|https?://", text)
    assert re.findall(r"<script([^>]*)>(.*?)</script>", text) == [(' src="/assets/shop.js" type="module"', "")]


@pytest.mark.parametrize(
    ("claims", "me"),
    [
        ({"sub": "7", "name": "wen", "groups": ["customers"]}, {"name": "wen", "groups": ["customers"]}),
        ({"sub": "7", "preferred_username": "w", "name": "Wen"}, {"name": "w", "groups": []}),
        ({"sub": "7", "name": 1, "groups": "customers"}, {"name": "7", "groups": []}),
    ],
)
def test_who_is_logged_in_is_what_the_token_says(shop: httpx.Client, claims: object, me: object) -> None:
    answer = shop.get("/me", headers={"x-verified-claims": verified(claims)})
    assert (answer.json(), answer.headers["cache-control"]) == (me, "no-store")


def test_without_a_token_nobody_is_logged_in(shop: httpx.Client) -> None:
    assert shop.get("/me").status_code == 401


def test_a_cart_is_filled_over_time_and_the_users_own(shop: httpx.Client) -> None:
    wen, eve = ({"x-verified-claims": verified({"iss": "us", "sub": user})} for user in ("wen", "eve"))
    assert shop.post("/cart", json={"id": "nails", "quantity": 2}, headers=wen).status_code == 200
    assert shop.post("/cart", json={"id": "nails", "quantity": 1}, headers=wen).json() == {
        "items": [{"id": "nails", "quantity": 3}]
    }
    assert shop.get("/cart", headers=wen).json()["items"] == [{"id": "nails", "quantity": 3}]
    assert shop.get("/cart", headers=eve).json() == {"items": []}
    full = shop.post("/cart", json={"id": "nails", "quantity": 999}, headers=wen)
    assert (full.status_code, full.json()["type"]) == (422, "urn:garrison:problem:not-added")


@pytest.mark.parametrize("line", [{"id": "nails"}, {"id": "nails", "quantity": 0}, {"id": "a/b", "quantity": 1}])
def test_what_is_no_line_is_refused(shop: httpx.Client, line: object) -> None:
    assert shop.post("/cart", json=line).json()["type"] == "urn:garrison:problem:invalid-request"


def test_without_a_token_there_is_no_cart(shop: httpx.Client) -> None:
    assert shop.get("/cart").json()["type"] == "urn:garrison:problem:no-user"


def test_a_cart_that_is_away_is_said() -> None:
    with served(storefront.app.application(Carts(carts.NOBODY))) as client:
        away = client.get("/cart", headers={"x-verified-claims": verified({"sub": "wen"})})
    assert (away.status_code, away.json()["detail"]) == (503, "cart cannot be reached")
