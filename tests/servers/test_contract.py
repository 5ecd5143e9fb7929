"""Contracts in front of a service: a real Envoy asks the agent, and what does not fit never arrives."""

from __future__ import annotations

import http.server
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from garrison.derive import contract_filter
from servers.entry import Entry, entry, estate
from servers.proxies import Application, eventually

ORDER = b'{"customer": "ann", "items": [{"id": "nails", "quantity": 2}]}'
HEADERS = {"content_type": "application/json", "idempotency_key": "k-1"}


class Counting(Application):
    """Counts what reaches it."""

    seen: list[str] = []  # noqa: RUF012 one server a module

    def do_GET(self) -> None:  # noqa: N802 the name http.server looks for
        self.seen.append(f"{self.command} {self.path}")
        super().do_GET()

    do_POST = do_HEAD = do_GET  # noqa: N815 the names http.server looks for


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, upstream: int) -> Iterator[Entry]:
    with entry(tmp_path_factory.mktemp("edge"), estate("catalog", "orders", "payments"), upstream) as made:
        yield made


def test_what_fits_arrives_unchanged(edge: Entry) -> None:
    status, seen = edge.ask("POST", "/orders", ORDER, **HEADERS)
    assert (status, seen["path"], seen["headers"]["content-length"]) == (200, "/orders", str(len(ORDER)))
    large = ORDER + b" " * (contract_filter.BODY - len(ORDER))
    status, seen = edge.ask("POST", "/orders", large, **HEADERS)
    assert (status, seen["headers"]["content-length"]) == (200, str(contract_filter.BODY))
    assert edge.ask("GET", "/items?limit=100")[0] == 200
    assert edge.ask("HEAD", "/items")[0] == 404  # of which the document says nothing


@pytest.mark.parametrize(
    ("status", "method", "path", "body", "changes"),
    [
        (422, "GET", "/items?limit=101", b"", {}),
        (422, "GET", "/items?limit=x", b"", {}),
        (422, "GET", "/items?limit=", b"", {}),
        (422, "GET", "/items?offset=1", b"", {}),
        (400, "GET", "/items?limit=1&limit=2", b"", {}),
        (400, "GET", "/items?limit=%zz", b"", {}),
        (400, "GET", "/items?limit=%ff", b"", {}),
        (422, "GET", "/items/a%20b", b"", {}),
        (422, "GET", "/items/a%2541", b"", {}),
        (422, "GET", "/charges/7", b"", {}),
        (400, "GET", "/items", b"{}", {"content_type": "application/json"}),
        (422, "POST", "/orders", ORDER, {"idempotency_key": "a b"}),
        (415, "POST", "/orders", ORDER, {"content_type": "text/plain"}),
        (415, "POST", "/orders", ORDER, {"content_type": "application/json; charset=utf-16"}),
        (415, "POST", "/orders", ORDER, {"content_encoding": "gzip"}),
        (413, "POST", "/orders", b" " * contract_filter.BODY + ORDER, {}),
        (400, "POST", "/orders", b"", {}),
        (400, "POST", "/orders", b"{", {}),
        (400, "POST", "/orders", ORDER + b"{}", {}),
        (400, "POST", "/orders", b'{"customer": "a", "customer": "b"}', {}),
        (400, "POST", "/orders", b'{"items": [{"quantity": NaN}]}', {}),
        (400, "POST", "/orders", b'{"items": [{"quantity": -Infinity}]}', {}),
        (400, "POST", "/orders", b'{"items": [{"quantity": 1e400}]}', {}),
        (400, "POST", "/orders", b'{"items": [{"quantity": ' + b"9" * 5000 + b"}]}", {}),
        (400, "POST", "/orders", b'{"customer": "\xff"}', {}),
        (400, "POST", "/orders", b'{"customer": "\\ud800"}', {}),
        (400, "POST", "/orders", b"[" * 5000 + b"]" * 5000, {}),
        (400, "POST", "/orders", b'{"a":' * 65 + b"1" + b"}" * 65, {}),
        (422, "POST", "/orders", b"null", {}),
        (422, "POST", "/orders", ORDER.replace(b"2}", b"1000}"), {}),
        (422, "POST", "/orders", ORDER.replace(b"2}", b'"2"}'), {}),
        (422, "POST", "/orders", ORDER.replace(b"2}", b"2.5}"), {}),
        (422, "POST", "/orders", ORDER.replace(b"2}", b'2, "price": 1}'), {}),
        (422, "POST", "/orders", b'{"customer": 7}', {}),
        (422, "POST", "/orders", b'{"items": [{"id": "anvil"}]}', {}),
        (422, "POST", "/orders", b'{"customer": "ann", "items": []}', {}),
    ],
)
def test_what_does_not_fit_never_arrives(
    edge: Entry, status: int, method: str, path: str, body: bytes, changes: dict[str, str]
) -> None:
    headers = (HEADERS if method == "POST" else {}) | changes
    before = len(Counting.seen)
    answered, said = edge.ask(method, path, body, **headers)
    assert (answered, len(Counting.seen)) == (status, before)
    if status != 413:  # which the proxy says itself, before it asks
        assert (said["status"], said["request_id"] != "") == (status, True)


def test_the_agent_sees_no_token_and_no_cookie(tmp_path: Path, upstream: int) -> None:
    """Another one in its place, who writes down what it is shown."""
    with entry(tmp_path, estate("catalog"), upstream) as edge:
        agent = edge.processes[0]
        agent.terminate()
        agent.wait(10)
        assert edge.ask("GET", "/items")[0] == 503
        shown: list[dict[str, str]] = []

        class Recorder(Application):
            def do_GET(self) -> None:  # noqa: N802 the name http.server looks for
                shown.append({name.lower(): value for name, value in self.headers.items()})
                super().do_GET()

        recorder = http.server.ThreadingHTTPServer(("127.0.0.1", edge.judging), Recorder)
        threading.Thread(target=recorder.serve_forever, daemon=True).start()
        secret = {"authorization": "Bearer planted", "cookie": "session=planted", "x_seen": "yes"}
        eventually(lambda: edge.ask("GET", "/items", b"", **secret)[0] == 200, "the proxy finds the recorder")
        recorder.shutdown()
        recorder.server_close()
        assert "planted" not in str(shown)
        assert shown[-1]["x-seen"] == "yes"


def test_an_agent_that_hangs_or_ends_is_a_refusal(tmp_path: Path, upstream: int) -> None:
    with entry(tmp_path, estate("catalog"), upstream) as edge:
        assert edge.ask("GET", "/items")[0] == 200
        edge.processes[0].send_signal(signal.SIGSTOP)
        before = len(Counting.seen)
        assert edge.ask("GET", "/items")[0] == 503
        edge.processes[0].send_signal(signal.SIGCONT)
        eventually(lambda: edge.ask("GET", "/items")[0] == 200, "it goes on")
        edge.processes[0].kill()
        eventually(lambda: edge.processes[0].poll() is not None, "it is dead")
        assert edge.ask("GET", "/items")[0] == 503
        assert set(Counting.seen[before:]) <= {"GET /items"}


def test_a_refusal_is_one_line_with_rule_outcome_and_request_id(edge: Entry) -> None:
    _, said = edge.ask("GET", "/items?limit=4711")
    line = next(line for line in edge.lines("decision") if line["request_id"] == said["request_id"])
    assert (line["rule"], line["outcome"]) == ("shop/catalog GET /items", "422 invalid-request")
    assert line["where"] == ["query/limit"]
    assert "4711" not in str(line) + str(said)
