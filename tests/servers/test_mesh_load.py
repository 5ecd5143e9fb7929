"""One caller cannot take a callee or its health port down: what a sidecar bears is bounded, and fits its memory."""

from __future__ import annotations

import contextlib
import http.client
import resource
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from garrison import defaults as d
from servers.proxies import Application, Bench, ask, eventually, own, raw, stand

LISTENER = '"envoy.resource_limits.listener.inbound.connection_limit":'
EVERYONE = '"max_active_downstream_connections":'
HEAP = '"max_heap_size_bytes":'
HEALTH = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
MEMORY_LIMIT = int(d.PROXY_RESOURCES.memory_limit.removesuffix("Mi"))


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def flood(bench: Bench, count: int, text: bytes = b"", timeout: float = 3) -> Iterator[list[ssl.SSLSocket]]:
    """One caller's connections, as many of `count` as it gets before one fails, each with the start of a request."""
    tls, held = own(bench), list[ssl.SSLSocket]()
    with contextlib.suppress(OSError):
        for _ in range(count):
            line = tls.wrap_socket(socket.create_connection(("127.0.0.1", bench.inbound), timeout=timeout))
            held.append(line)
            line.sendall(text)
    try:
        yield held
    finally:
        for line in held:
            line.close()


def healthy(bench: Bench) -> bool:
    return raw(bench, HEALTH, bench.health).startswith(b"200 ")


def private_memory(process: int) -> int:
    """MiB that only this process has: what counts against its limit and cannot be taken back."""
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(rows["RssAnon"].split()[0]) // 1024


@pytest.mark.parametrize(
    "changes",
    [{f"{LISTENER}{d.INBOUND_CONNECTIONS}": f"{LISTENER}20"}, {f"{EVERYONE}{d.MAX_CONNECTIONS}": f"{EVERYONE}20"}],
    ids=["limit of the listener", "limit of the proxy"],
)
def test_a_flood_of_connections_ends_at_a_limit_that_is_not_the_health_ports(
    tmp_path: Path, changes: dict[str, str]
) -> None:
    with stand(tmp_path / "mesh", changes) as bench:
        early = http.client.HTTPSConnection("127.0.0.1", bench.inbound, context=own(bench), timeout=5)
        early.request("GET", "/items/1")
        assert early.getresponse().read()
        with flood(bench, 40) as held:
            assert len(held) <= 19
            assert healthy(bench)
            early.request("GET", "/items/1")
            assert early.getresponse().status == 200, "who is connected is served"
        eventually(lambda: _served(bench), "callers come in again")


def _served(bench: Bench) -> bool:
    try:
        return ask(bench, "GET", "/items/1", own(bench))[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def test_as_many_connections_as_are_let_in_fit_the_memory_of_the_proxy(tmp_path: Path) -> None:
    started = b"GET /items/1 HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 50_000  # and never ended
    with stand(tmp_path / "mesh") as bench, flood(bench, d.INBOUND_CONNECTIONS + 50, started) as held:
        assert d.INBOUND_CONNECTIONS // 2 < len(held) <= d.INBOUND_CONNECTIONS
        assert healthy(bench)
        assert private_memory(bench.proxy) < MEMORY_LIMIT * 2 // 3


def test_a_full_heap_shuts_callers_out_and_not_the_kubelet(tmp_path: Path) -> None:
    started = b"GET /items/1 HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 50_000
    full = 24 * 1024 * 1024
    with stand(tmp_path / "mesh", {f"{HEAP}{d.PROXY_HEAP}": f"{HEAP}{full}"}) as bench:
        assert _served(bench), "the control"
        with flood(bench, 700, started):
            eventually(lambda: not _served(bench), "callers are shut out")
            assert healthy(bench)
        eventually(lambda: _served(bench), "callers come in again")


class Waiting(Application):
    """Answers callers when told to; the kubelet at once."""

    told: threading.Event
    waiting: threading.Semaphore

    def do_GET(self) -> None:  # noqa: N802 the name http.server looks for
        if self.path.startswith("/items"):
            self.waiting.release()
            self.told.wait()
        super().do_GET()


PLACES = 4  # at the application, and as many requests that wait for one
_BOUNDS = (
    ("connections", d.APP_CONNECTIONS),
    ("pending_requests", d.APP_CONNECTIONS),
    ("requests", 2 * d.APP_CONNECTIONS),
)
FEW = {f'"max_{kind}":{n}': f'"max_{kind}":{n // d.APP_CONNECTIONS * PLACES}' for kind, n in _BOUNDS}
PATIENT = {  # or a slow machine would free the places
    f'"timeout":"{d.REQUEST_TIMEOUT}"': '"timeout":"600s"',
    f'"max_stream_duration":"{d.STREAM_DURATION}"': '"max_stream_duration":"600s"',
}


def test_callers_who_occupy_the_application_leave_a_place_for_the_kubelet(tmp_path: Path) -> None:
    """The places are taken one kind after the other: a request that is on its way to a free place counts as waiting."""

    class Told(Waiting):  # this server's own
        told, waiting = threading.Event(), threading.Semaphore(0)

    whole = b"GET /items/1 HTTP/1.1\r\nhost: x\r\n\r\n"
    with stand(tmp_path / "mesh", FEW | PATIENT, Told) as made, flood(made, PLACES, whole, 60):
        bench = replace(made, patience=60)
        try:
            for _ in range(PLACES):
                assert Told.waiting.acquire(timeout=60)
            with flood(bench, PLACES + 1, whole, 60) as more:
                answered, _, _ = select.select(more, [], [], 60)
                assert [line.recv(12) for line in answered] == [b"HTTP/1.1 503"], "one more than there are places"
                assert ask(bench, "GET", "/items/1", own(bench))[0] == 503, "no place is left for callers"
                assert healthy(bench)
        finally:
            Told.told.set()


def test_http2_is_not_spoken(bench: Bench) -> None:
    """Its windows, resets and streams would need bounds of their own."""
    assert not raw(bench, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0").startswith(b"200")
