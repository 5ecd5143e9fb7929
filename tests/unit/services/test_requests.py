"""What every service does around every request, shown on the smallest one."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi import APIRouter

import catalog.app
from common import app as common_app
from common.context import accepted_request_id, identity
from common.limits import MAX_BODY
from common.log import JsonLines
from cover.app import describe as cover_app
from harness import books
from unit.services.serving import served

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with served(cover_app()) as client:
        yield client


QUOTE = {"reference": "order-1", "value": {"amount": 10_000, "currency": "EUR"}}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("DELETE", "/quotes", 405),
        ("GET", "/covers/none", 404),
        ("GET", "/covers/bad%20id", 422),
        ("GET", "/openapi.json", 404),
        ("GET", "/docs", 404),
    ],
)
def test_every_error_is_a_problem_document(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path, headers={"x-request-id": "r-1"})
    body = answer.json()
    assert (answer.status_code, body["status"], answer.headers["content-type"]) == (status, status, PROBLEM)
    assert body["request_id"] == answer.headers["x-request-id"] == "r-1"
    assert body["title"]
    assert body["detail"]


def test_a_method_not_allowed_says_which_is(client: httpx.Client) -> None:
    assert client.delete("/quotes").headers["allow"] == "POST"


@pytest.mark.parametrize(
    "value",
    [
        {"amount": 0, "currency": "EUR"},
        {"amount": -1, "currency": "EUR"},
        {"amount": 1.5, "currency": "EUR"},
        {"amount": "1", "currency": "EUR"},
        {"amount": True, "currency": "EUR"},
        {"amount": 10**13, "currency": "EUR"},
        {"amount": 1, "currency": "euro"},
        {"amount": 1},
        {"amount": 1, "currency": "EUR", "more": 1},
    ],
)
def test_money_is_whole_positive_and_has_a_currency(client: httpx.Client, value: object) -> None:
    assert client.post("/quotes", json=QUOTE).status_code == 201
    refused = client.post("/quotes", json={**QUOTE, "value": value})
    assert refused.status_code == 422
    assert all(error["where"].startswith("body/value") for error in refused.json()["errors"])


def test_what_was_sent_is_not_repeated(client: httpx.Client) -> None:
    refused = client.post("/quotes", json={**QUOTE, "reference": "4111 1111 1111 1111"})
    assert refused.status_code == 422
    assert "4111" not in refused.text


def test_unreadable_and_oversized_bodies(client: httpx.Client) -> None:
    assert client.post("/quotes", content=b"{", headers={"content-type": "application/json"}).status_code == 400
    for content in (b" " * (MAX_BODY + 1), iter([b" " * MAX_BODY, b" "])):
        large = client.post("/quotes", content=content, headers={"content-type": "application/json"})
        assert (large.status_code, large.headers["content-type"]) == (413, PROBLEM)


def test_an_unexpected_error_says_nothing_about_itself() -> None:
    router = APIRouter()

    @router.get("/broken")
    def broken() -> None:
        raise RuntimeError("inner detail")

    with served(common_app.create("broken", "", router)) as client:
        answer = client.get("/broken")
        assert (answer.status_code, answer.headers["content-type"]) == (500, PROBLEM)
        assert "inner detail" not in answer.text
        assert client.get("/healthz").json() == {"status": "ok"}


def test_one_log_line_a_request_with_id_and_caller(caplog: pytest.LogCaptureFixture) -> None:
    lines: list[dict[str, object]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(json.loads(JsonLines("catalog").format(record)))

    logger = logging.getLogger("service")
    handler = Keep()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    caller = "spiffe://estate.example/ns/shop/sa/orders"
    sent = {
        "x-request-id": "r-9",
        "x-correlation-id": "c-1",
        "x-forwarded-client-cert": f'Hash=ab;URI={caller};Subject=""',
    }
    try:
        with served(catalog.app.application(books.Goods.sown())) as client:
            client.get("/items/nails?token=planted", headers=sent)
            client.get("/healthz")
    finally:
        logger.removeHandler(handler)
    (line,) = lines
    assert (line["request_id"], line["caller"], line["service"]) == ("r-9", caller, "catalog")
    assert line["correlation_id"] == "c-1"
    assert (line["method"], line["path"], line["status"]) == ("GET", "/items/nails", 200)
    assert "planted" not in json.dumps(lines)


def test_a_request_id_that_could_forge_a_line_is_replaced() -> None:
    assert accepted_request_id("a-b.c_1") == "a-b.c_1"
    for bad in ("", "a b", 'x","level":"', "a\nb", "x" * 129):
        assert accepted_request_id(bad) != bad


def test_the_identity_is_the_peers_and_nothing_else() -> None:
    peer = "spiffe://e.example/ns/a/sa/b"
    assert identity(f"By=spiffe://e.example/ns/c/sa/d;Hash=1;URI={peer}") == peer
    assert identity("By=spiffe://e.example/ns/c/sa/d") == ""
    assert identity("URI=https://e.example") == ""
    assert identity(f'Subject="CN=x;URI=spiffe://e.example/ns/a/sa/evil;\\";O=y";URI={peer}') == peer


def test_a_request_under_way_is_finished_before_the_end() -> None:
    entered, release = threading.Event(), threading.Event()
    router = APIRouter()

    @router.get("/slow")
    def slow() -> dict[str, bool]:
        entered.set()
        return {"finished": release.wait(20)}

    with ThreadPoolExecutor(2) as threads:
        with served(common_app.create("slow", "", router)) as client:
            answer = threads.submit(httpx.get, f"{client.base_url}/slow", timeout=20)
            assert entered.wait(10)
            threads.submit(release_when_closed, str(client.base_url), release)
        assert answer.result().json() == {"finished": True}


def release_when_closed(url: str, release: threading.Event) -> None:
    """Once new connections are refused the server is stopping: only then let the old request end."""
    while not release.wait(0.01):
        try:
            httpx.get(f"{url}/healthz")
        except httpx.TransportError:
            release.set()
