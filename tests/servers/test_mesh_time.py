"""A certificate's end is the end of what it opened: connections end by themselves, and no session outlives them."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from garrison import defaults as d
from servers.proxies import ORDERS, Bench, context, eventually, own, stand

CLOSED = (ConnectionError, http.client.HTTPException, ssl.SSLError)
ASKED = b"GET /items/1 HTTP/1.1\r\nhost: x\r\n\r\n"


def shorter(name: str, seconds: str, instead: str) -> dict[str, str]:
    return {f'"{name}":"{seconds}"': f'"{name}":"{instead}"'}


@pytest.fixture
def hurried(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Sidecars with shorter times than the derived ones."""
    opened: list[Any] = []

    def make(**times: tuple[str, str]) -> Bench:
        changes: dict[str, str] = {}
        for name, (was, instead) in times.items():
            changes |= shorter(name, was, instead)
        opened.append(stand(tmp_path / "hurried", changes))
        return opened[-1].__enter__()  # type: ignore[no-any-return]

    yield make
    for made in opened:
        made.__exit__(None, None, None)


def test_every_connection_ends_within_ten_minutes_and_the_sender_ends_it_first() -> None:
    last = sum(map(_seconds, (d.CONNECTION_DURATION, d.CONNECTION_DRAIN, d.STREAM_DURATION)))
    assert last <= 600
    assert _seconds(d.OUTBOUND_CONNECTION_DURATION) + _seconds(d.STREAM_DURATION) <= _seconds(d.CONNECTION_DURATION)
    assert _seconds(d.OUTBOUND_IDLE_TIMEOUT) < _seconds(d.IDLE_TIMEOUT)


def _seconds(text: str) -> float:
    return float(re.fullmatch(r"([0-9.]+)s", text)[1])  # type: ignore[index]


def test_a_session_is_not_resumed(bench: Bench) -> None:
    tls = own(bench)
    kept = _session(bench, tls)
    with socket.create_connection(("127.0.0.1", bench.inbound), timeout=5) as plain:
        line = tls.wrap_socket(plain, session=kept) if kept else tls.wrap_socket(plain)
        with line:
            assert not line.session_reused
            line.sendall(ASKED)
            assert line.recv(100).startswith(b"HTTP/1.1 200"), "the control: a whole handshake passes"


def _session(bench: Bench, tls: ssl.SSLContext) -> ssl.SSLSession | None:
    """The ticket of a connection that was used; it comes after the handshake, before the answer."""
    with socket.create_connection(("127.0.0.1", bench.inbound), timeout=5) as plain, tls.wrap_socket(plain) as line:
        line.sendall(ASKED)
        assert line.recv(100).startswith(b"HTTP/1.1 200")
        return line.session


def test_a_certificate_that_has_ended_opens_nothing(bench: Bench, tmp_path: Path) -> None:
    tls = context(bench.root.issue(tmp_path / "brief", uri=ORDERS, seconds=2))
    kept = _session(bench, tls)
    end = time.monotonic() + 2
    eventually(lambda: time.monotonic() > end, "the certificate ended")

    def refused() -> bool:
        try:
            plain = socket.create_connection(("127.0.0.1", bench.inbound), timeout=5)
            with plain, tls.wrap_socket(plain, session=kept) as line:
                line.sendall(ASKED)
                return not line.recv(100)
        except CLOSED:
            return True

    eventually(refused, "a certificate that has ended is refused", seconds=5)


def test_a_connection_in_use_ends(hurried: Callable[..., Bench]) -> None:
    bench = hurried(max_connection_duration=(d.CONNECTION_DURATION, "1s"), drain_timeout=(d.CONNECTION_DRAIN, "0.2s"))
    made = http.client.HTTPSConnection("127.0.0.1", bench.inbound, context=own(bench), timeout=5)
    made.connect()
    sock, answers = made.sock, list[int]()

    def ended() -> bool:
        try:
            made.request("GET", "/items/1")
            answer = made.getresponse()
            answer.read()
        except CLOSED:
            return True
        answers.append(answer.status)
        return made.sock is not sock  # `connection: close`: the client lets go of it

    eventually(ended, "a connection in steady use ends", seconds=10)
    assert set(answers) == {200}


def test_a_silent_connection_ends(hurried: Callable[..., Bench]) -> None:
    bench = hurried(max_connection_duration=(d.CONNECTION_DURATION, "1s"), drain_timeout=(d.CONNECTION_DRAIN, "0.2s"))
    with (
        socket.create_connection(("127.0.0.1", bench.inbound), timeout=10) as plain,
        own(bench).wrap_socket(plain) as line,
    ):
        line.sendall(ASKED)
        assert line.recv(100).startswith(b"HTTP/1.1 200")
        while line.recv(4096):
            pass  # until it is closed by the other side


def test_a_request_that_trickles_ends(hurried: Callable[..., Bench]) -> None:
    bench = hurried(max_stream_duration=(d.STREAM_DURATION, "1s"))
    with (
        socket.create_connection(("127.0.0.1", bench.inbound), timeout=5) as plain,
        own(bench).wrap_socket(plain) as line,
    ):
        line.sendall(b"GET /items/1 HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")

        def ended() -> bool:
            try:
                line.sendall(b"x")
                line.settimeout(0.05)
                line.recv(4096)
                return True
            except TimeoutError:
                return False
            except CLOSED:
                return True

        eventually(ended, "a body that never ends is not waited for", seconds=10)


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("max_connection_duration", d.OUTBOUND_CONNECTION_DURATION), ("idle_timeout", d.OUTBOUND_IDLE_TIMEOUT)],
)
def test_the_callers_sidecar_ends_its_connections_first(hurried: Callable[..., Bench], name: str, seconds: str) -> None:
    bench = hurried(**{name: (seconds, "1s")})
    made = http.client.HTTPConnection("127.0.0.1", bench.outbound, timeout=10)
    made.request("GET", "/items/1")
    assert made.getresponse().status == 200
    assert connections(bench.inbound) == 1
    eventually(lambda: connections(bench.inbound) == 0, "the caller's sidecar closed", seconds=10)


def connections(port: int) -> int:
    """How many are open towards this port of loopback."""
    rows = [
        line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return sum(1 for row in rows if row[3] == "01" and int(row[2].rpartition(":")[2], 16) == port)


def test_no_request_is_lost_when_connections_end(hurried: Callable[..., Bench]) -> None:
    bench = hurried(idle_timeout=(d.OUTBOUND_IDLE_TIMEOUT, "0.2s"))
    made = http.client.HTTPConnection("127.0.0.1", bench.outbound, timeout=10)
    for _ in range(5):
        made.request("GET", "/items/1")
        answer = made.getresponse()
        answer.read()
        assert answer.status == 200
        eventually(lambda: connections(bench.inbound) == 0, "the connection behind it ended")
