"""The derived sidecar configuration in two real Envoys: what is declared passes, each other thing is refused."""

from __future__ import annotations

import http.client
import http.server
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from garrison.derive import mesh
from garrison.model.graph import Graph
from garrison.prove.drill.cuts import KINDS
from garrison.prove.expect.calls import IMPOSTOR
from garrison.prove.look import opening
from garrison.words import Ref
from harness.build import binary
from servers.authority import Authority
from unit.estates import shop_app

ORDERS = "spiffe://estate.example/ns/shop/sa/orders"
CATALOG = "spiffe://estate.example/ns/shop/sa/catalog"


class Application(http.server.BaseHTTPRequestHandler):
    """Answers with what reached it, as JSON."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 the name http.server looks for

    def log_message(self, *args: object) -> None:
        """Quiet."""


@dataclass(frozen=True)
class Bench:
    root: Authority
    folder: Path
    inbound: int
    outbound: int
    health: int
    log: Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start_envoy(
    graph: Graph, name: str, folder: Path, places: dict[str, str], cut: str = ""
) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True)
    config = mesh.config(graph, graph.by_ref[Ref("shop", name)])
    for file, text in (opening.without(cut, config) if cut else config).items():
        for old, new in {"/etc/envoy": str(folder), **places}.items():
            text = text.replace(old, new)
        (folder / file).write_text(text)
    log = (folder / "log").open("wb")
    command = [binary("envoy"), "-c", folder / "envoy.json", "--disable-hot-restart", "--concurrency", "1"]
    return subprocess.Popen([str(part) for part in command], stdout=log, stderr=subprocess.STDOUT)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.05)
    raise AssertionError(f"nothing listens on {port}: {log.read_text()}")


def in_front_of(name: str, folder: Path, outbound: int, callee: int) -> dict[str, str]:
    """Where the caller's sidecar listens and finds the callee: the sidecars of all pods share one loopback here."""
    return {
        "15021": str(free_port()),
        "15102": str(outbound),
        "15101": str(free_port()),
        '"0.0.0.0"': '"127.0.0.1"',
        **{path: str(folder / "id" / name) for path in ("/run/identity", "/run/trust")},
        '"address":"catalog.shop.svc.cluster.local","port_value":8443': f'"address":"localhost","port_value":{callee}',
        '"name":"inbound"': '"name":"in"',
        '"127.0.0.1","port_value":8443': f'"127.0.0.1","port_value":{free_port()}',
    }


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("mesh")
    root = Authority.fresh()
    for name, uri in (("orders", ORDERS), ("catalog", CATALOG)):
        root.issue(folder / "id" / name, uri=uri)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    graph = shop_app().graph()
    inbound, health, outbound = free_port(), free_port(), free_port()
    app = str(server.server_address[1])
    moved = {"8443": str(inbound), "15021": str(health), '"port_value":8080': f'"port_value":{app}'}
    moved |= {"0.0.0.0": "127.0.0.1"}
    callee = moved | {p: str(folder / "id" / "catalog") for p in ("/run/identity", "/run/trust")}
    caller = in_front_of("orders", folder, outbound, inbound)
    processes = [start_envoy(graph, n, folder / n, m) for n, m in (("catalog", callee), ("orders", caller))]
    try:
        wait_for(inbound, processes[0], folder / "catalog" / "log")
        wait_for(outbound, processes[1], folder / "orders" / "log")
        yield Bench(root, folder, inbound, outbound, health, folder / "catalog" / "log")
    finally:
        for process in processes:
            process.terminate()
            process.wait(10)
        server.shutdown()


@contextmanager
def another_callee(bench: Bench, folder: Path, name: str, cut: str = "") -> Iterator[int]:
    """One more sidecar of `catalog` with this identity; its application is the first one's health port."""
    inbound = free_port()
    moved = {"8443": str(inbound), "15021": str(free_port()), "0.0.0.0": "127.0.0.1"}
    moved |= {'"port_value":8080': f'"port_value":{bench.health}'}
    moved |= {path: str(bench.folder / "id" / name) for path in ("/run/identity", "/run/trust")}
    with running("catalog", folder, moved, cut, inbound):
        yield inbound


@contextmanager
def running(name: str, folder: Path, places: dict[str, str], cut: str, port: int) -> Iterator[None]:
    process = start_envoy(shop_app().graph(), name, folder, places, cut)
    try:
        wait_for(port, process, folder / "log")
        yield
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(params=[cut for cut, kind in KINDS.items() if kind != IMPOSTOR])
def weakened(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> Iterator[tuple[str, Bench]]:
    """The callee once more, without one of its protections."""
    with another_callee(bench, tmp_path / "weakened", "catalog", request.param) as inbound:
        yield request.param, replace(bench, inbound=inbound)


def context(folder: Path | None, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.maximum_version = newest
    if folder:
        made.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return made


def ask(bench: Bench, method: str, path: str, tls: ssl.SSLContext | None, **headers: str) -> tuple[int, str]:
    made = (
        http.client.HTTPSConnection("127.0.0.1", bench.inbound, context=tls, timeout=5)
        if tls
        else http.client.HTTPConnection("127.0.0.1", bench.inbound, timeout=5)
    )
    try:
        made.request(method, path, headers=headers)
        answer = made.getresponse()
        return answer.status, answer.read().decode()
    finally:
        made.close()


def own(bench: Bench, name: str = "orders") -> ssl.SSLContext:
    return context(bench.folder / "id" / name)


def test_declared_operations_pass_and_carry_the_callers_identity(bench: Bench) -> None:
    status, body = ask(bench, "GET", "/items/1?x=2", own(bench), **{"x-forwarded-client-cert": "URI=spiffe://forged"})
    assert status == 200
    assert json.loads(body)["headers"]["x-forwarded-client-cert"].endswith(f"URI={ORDERS}")
    assert "forged" not in body
    assert ask(bench, "GET", "/items", own(bench))[0] == 200


def test_declared_operation_through_the_callers_own_sidecar(bench: Bench) -> None:
    made = http.client.HTTPConnection("127.0.0.1", bench.outbound, timeout=10)
    made.request("GET", "/items/7", headers={"x-request-id": "id-of-the-test"})
    answer = made.getresponse()
    seen = json.loads(answer.read())
    assert answer.status == 200
    assert seen["headers"]["x-request-id"] == "id-of-the-test"
    assert seen["headers"]["x-forwarded-client-cert"].endswith(f"URI={ORDERS}")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/items/1"),
        ("GET", "/items/1/price"),
        ("GET", "/"),
        ("GET", "/itemsX"),
        ("DELETE", "/items"),
        ("GET", "/items/"),
        ("GET", "//items/1/../../admin"),
        ("GET", "/items/%2e%2e/admin"),
    ],
)
def test_undeclared_operations_are_refused(bench: Bench, method: str, path: str) -> None:
    status, body = ask(bench, method, path, own(bench))
    assert (status, "RBAC: access denied" in body) == (403, True)


def test_an_escaped_slash_is_refused(bench: Bench) -> None:
    assert ask(bench, "GET", "/items/1%2f..%2fadmin", own(bench))[0] == 400


def test_another_identity_of_the_trust_domain_is_refused(bench: Bench) -> None:
    tls = context(bench.root.issue(bench.folder / "id" / "audit", uri="spiffe://estate.example/ns/bank/sa/audit"))
    assert ask(bench, "GET", "/items/1", tls)[0] == 403


@pytest.mark.parametrize(
    "uri", ["spiffe://evil.example/ns/shop/sa/orders", "spiffe://estate.example.evil/ns/shop/sa/orders"]
)
def test_another_trust_domain_is_refused_at_the_handshake(bench: Bench, uri: str) -> None:
    tls = context(bench.root.issue(bench.folder / "id" / "evil", uri=uri))
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(bench, "GET", "/items/1", tls)


def test_another_authority_is_refused_at_the_handshake(bench: Bench) -> None:
    tls = context(Authority.fresh("other root").issue(bench.folder / "id" / "forged", uri=ORDERS))
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(bench, "GET", "/items/1", tls)


def test_no_certificate_old_tls_and_plaintext_are_refused(bench: Bench) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(bench, "GET", "/items/1", context(None))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(bench, "GET", "/items/1", context(bench.folder / "id" / "orders", ssl.TLSVersion.TLSv1_2))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(bench, "GET", "/items/1", None)


def furthest(bench: Bench, method: str, path: str, tls: ssl.SSLContext) -> str:
    """How far a request gets: to the handshake, to the authorisation, or to the application."""
    try:
        status, body = ask(bench, method, path, tls)
    except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
        return "handshake"
    return "authorisation" if status == 403 and "RBAC" in body else "application"


def test_each_cut_of_the_drill_lets_its_telling_probe_further_and_no_other(weakened: tuple[str, Bench]) -> None:
    cut, bench = weakened
    stranger = context(bench.root.issue(bench.folder / "id" / "far", uri="spiffe://far.example/ns/shop/sa/orders"))
    reached = {
        "undeclared operation": furthest(bench, "POST", "/items/1", own(bench)),
        "no certificate": furthest(bench, "GET", "/items/1", context(None)),
        "wrong trust domain": furthest(bench, "GET", "/items/1", stranger),
        "TLS 1.2": furthest(bench, "GET", "/items/1", context(bench.folder / "id" / "orders", ssl.TLSVersion.TLSv1_2)),
    }
    whole = dict.fromkeys(reached, "handshake") | {"undeclared operation": "authorisation"}
    further = {
        "authorisation": {"undeclared operation": "application"},
        "client certificate": {"no certificate": "authorisation", "wrong trust domain": "authorisation"},
        "trust domain": {"wrong trust domain": "authorisation"},
        "TLS version": {"TLS 1.2": "application"},
    }[cut]
    assert reached == whole | further
    assert KINDS[cut] in further


@pytest.mark.parametrize(("cut", "status"), [("", 503), ("callee's name", 404)])
def test_a_caller_talks_to_an_impostor_only_without_the_callees_name(
    bench: Bench, tmp_path: Path, cut: str, status: int
) -> None:
    outbound = free_port()
    with another_callee(bench, tmp_path / "impostor", "orders") as impostor:
        places = in_front_of("orders", bench.folder, outbound, impostor)
        with running("orders", tmp_path / "caller", places, cut, outbound):
            made = http.client.HTTPConnection("127.0.0.1", outbound, timeout=10)
            made.request("GET", "/items/7")
            answer = made.getresponse()
            body = answer.read().decode()
    assert answer.status == status, body
    log = (tmp_path / "caller" / "log").read_text()  # written to the end: the sidecar has stopped
    assert ("CERTIFICATE_VERIFY_FAILED" in log) == (not cut)


def test_the_health_port_serves_two_paths_only(bench: Bench) -> None:
    def status(path: str) -> int:
        made = http.client.HTTPConnection("127.0.0.1", bench.health, timeout=5)
        made.request("GET", path)
        return made.getresponse().status

    assert (status("/proxy"), status("/healthz")) == (200, 200)
    assert {status("/items/1"), status("/"), status("/healthz/../items/1")} == {404}


def test_a_renewed_certificate_is_served_without_dropping_a_connection(bench: Bench) -> None:
    made = http.client.HTTPSConnection("127.0.0.1", bench.inbound, context=own(bench), timeout=5)
    made.request("GET", "/items/1")
    assert made.getresponse().read()
    before = made.sock.getpeercert(binary_form=True)
    # as the kubelet does it: new files under other names, then one rename in the watched folder
    live, fresh = bench.folder / "id" / "catalog", bench.root.issue(bench.folder / "fresh", uri=CATALOG)
    for file in ("tls.key", "tls.crt"):
        (fresh / file).replace(live / file)
    deadline = time.monotonic() + 20
    while served(bench) == before and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert served(bench) != before
    made.request("GET", "/items/2")
    assert made.getresponse().status == 200, "the connection of before is still good"


def served(bench: Bench) -> bytes | None:
    with socket.create_connection(("127.0.0.1", bench.inbound)) as raw, own(bench).wrap_socket(raw) as tls:
        return tls.getpeercert(binary_form=True)


def test_the_access_log_has_both_identities_and_the_request_id(bench: Bench) -> None:
    ask(bench, "POST", "/items/1", own(bench), **{"x-request-id": "logged-by-the-test"})
    deadline = time.monotonic() + 20
    while "logged-by-the-test" not in bench.log.read_text() and time.monotonic() < deadline:
        threading.Event().wait(0.1)
    line = next(row for row in bench.log.read_text().splitlines() if "logged-by-the-test" in row)
    entry = json.loads(line)
    assert (entry["peer"], entry["self"], entry["status"]) == (ORDERS, CATALOG, 403)
    assert entry["detail"].startswith("rbac_access_denied")
