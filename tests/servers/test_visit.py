"""Being at a host of the edge from this machine: its certificate is verified, by us and so by the browser."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Error

from garrison.model.calls import Operation
from garrison.model.routes import Route
from garrison.words import Ref
from harness import browser, entrance, visit
from harness.errors import HarnessError
from unit.authority import Authority

HOST = "api.estate.example"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.headers["host"].partition(":")[0] == HOST else 404)
        self.end_headers()
        self.wfile.write(b"<title>there</title>")

    def do_POST(self) -> None:
        self.send_response(401)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@dataclass(frozen=True)
class Edge:
    port: int
    bundle: Path

    def visit(self, operation: str, host: str = HOST) -> visit.Visit:
        return visit.Visit(Route(Ref("a", "b"), Operation.parse(operation), host, public="it is"), self.port, 0)


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = Authority.fresh().issue(tmp_path_factory.mktemp("edge"), dns=HOST)
    server = http.server.ThreadingHTTPServer((entrance.ADDRESS, 0), Answer)
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server.socket = shown.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Edge(server.server_port, folder / "ca.pem")
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("operation", "status"), [("GET /items", 200), ("POST /orders", 401)])
def test_a_request_is_made_at_the_host_and_gives_its_status(edge: Edge, operation: str, status: int) -> None:
    assert edge.visit(operation).made(edge.bundle) == status


def test_no_other_name_and_no_other_authority_will_do(edge: Edge, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="Hostname mismatch"):
        edge.visit("GET /items", "www.estate.example").made(edge.bundle)
    other = Authority.fresh("other").issue(tmp_path, dns=HOST) / "ca.pem"
    with pytest.raises(HarnessError, match="certificate verify failed"):
        edge.visit("GET /items").made(other)


def test_nobody_there_is_one_line(edge: Edge) -> None:
    with pytest.raises(HarnessError, match=r"api\.estate\.example at 127\.0\.0\.1:1: .*refused"):
        visit.Visit(edge.visit("GET /items").route, 1, 200).made(edge.bundle)


def test_a_browser_is_there_with_the_verified_key_and_with_no_other(edge: Edge) -> None:
    there, pins = visit.browsing([HOST], edge.port, edge.bundle)
    with browser.started(there, pins) as chromium:
        page = chromium.new_page()
        page.goto(f"https://{HOST}:{edge.port}/")
        assert page.title() == "there"
    with browser.started(there, pins[:-8] + "AAAAAAA=") as chromium, pytest.raises(Error, match="ERR_CERT_AUTHORITY"):
        chromium.new_page().goto(f"https://{HOST}:{edge.port}/")
