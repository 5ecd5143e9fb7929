"""gRPC, TCP and further ports on real sidecars: what is declared passes, and nobody else hears a word."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import grpc
import pytest

from garrison.derive.names import server_name
from garrison.model.calls import Operation
from garrison.model.graph import Graph, Target
from garrison.prove.judge.classify import UNAVAILABLE, read
from garrison.prove.look.proxylog import details
from garrison.prove.look.world import UNREAD
from garrison.prove.model import Hold, Request, Seen
from garrison.words import Ref
from harness.ports import free_port
from prober.batch import observe
from servers.mesh_bench import Estate, standing
from servers.proxies import context, eventually, status_at
from servers.test_mesh_claims import CLAIMS
from unit.estates import DIGEST, empty_app

CART, GREETER, FRONT, STRANGER = (Ref("shop", name) for name in ("cart", "greeter", "front", "stranger"))
GREETING = b"220 greeter ready\r\n"


def estate() -> Graph:
    app = empty_app()
    shop = app.namespace("shop")
    cart = shop.service("cart", image="registry.example/c" + DIGEST, port=7070, protocol="grpc")
    greeter = shop.service("greeter", image="registry.example/g" + DIGEST, port=2525, protocol="tcp")
    quiet = greeter.port("quiet", 2526, protocol="tcp")
    front = shop.service("front", image="registry.example/f" + DIGEST, health=None)
    stranger = shop.service("stranger", image="registry.example/s" + DIGEST, health=None)
    shop.service("lobby", image="registry.example/l" + DIGEST, port=8080)
    front.calls(cart, "shop.Cart/Get", "shop.Cart/Watch")
    front.connects(greeter, alias="mail:2525")
    stranger.connects(quiet)
    return app.graph()


@dataclass
class Carts(grpc.GenericRpcHandler):
    """Without generated code: bytes in, bytes out."""

    ran: list[str] = field(default_factory=list)
    healthy: bool = True
    seen: dict[str, Any] = field(default_factory=dict)

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        name = details.method.rpartition("/")[2]
        if details.method == "/grpc.health.v1.Health/Check":
            return grpc.unary_unary_rpc_method_handler(
                lambda _request, _context: b"\x08\x01" if self.healthy else b"\x08\x02"
            )
        self.seen = dict(details.invocation_metadata)

        def get(request: bytes, _context: Any) -> bytes:
            self.ran.append(name)
            return b"cart of " + request

        def watch(_request: bytes, context: Any) -> Iterator[bytes]:
            for number in range(100):
                if not context.is_active():
                    return
                yield str(number).encode()
                time.sleep(0.25)

        if name == "Watch":
            return grpc.unary_stream_rpc_method_handler(watch)
        return grpc.unary_unary_rpc_method_handler(get)


@contextlib.contextmanager
def carts() -> Iterator[tuple[Carts, int]]:
    handler = Carts()
    server = grpc.server(futures.ThreadPoolExecutor(8), handlers=[handler])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield handler, port
    finally:
        server.stop(0)


class Greeter:
    """Says its greeting to whoever connects, and what it hears back to them; counts its connections."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port, self.connections = int(self.server.getsockname()[1]), 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self.server.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with line, contextlib.suppress(OSError):
            heard = b""
            line.sendall(GREETING)
            while more := line.recv(1000):
                if not heard:
                    self.connections += 1  # a health check says nothing
                heard += more
                line.sendall(more)


@dataclass(frozen=True)
class Bench:
    estate: Estate
    carts: Carts
    greeter: Greeter


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    greeter = Greeter()
    with carts() as (handler, port):
        applications = {(CART, 7070): port, (GREETER, 2525): greeter.port, (GREETER, 2526): greeter.port}
        with standing(estate(), tmp_path_factory.mktemp("any"), applications) as made:
            yield Bench(made, handler, greeter)


# --- gRPC ------------------------------------------------------------------------------------------------------------


def channel(bench: Bench) -> grpc.Channel:
    port = bench.estate.outbound[FRONT, Target(CART)]
    return grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_retries", 0)])


def ask(line: grpc.Channel, method: str, seconds: float = 10) -> bytes:
    """One call; bytes in and out, as there is no generated code that would know more."""
    called: Any = line.unary_unary(method)
    answer: bytes = called(b"ada", timeout=seconds, wait_for_ready=True)
    return answer


def test_a_declared_method_is_answered_and_the_callee_hears_who_asked(bench: Bench) -> None:
    with channel(bench) as line:
        assert ask(line, "/shop.Cart/Get") == b"cart of ada"
    assert f"URI={bench.estate.graph.spiffe_id(FRONT)}" in bench.carts.seen["x-forwarded-client-cert"]


@pytest.mark.parametrize(
    "method", ["/shop.Cart/Empty", "/grpc.health.v1.Health/Check", "/shop.Carts/Get", "/shop.Cart/Get/x"]
)
def test_a_method_that_nobody_declared_is_denied(bench: Bench, method: str) -> None:
    with channel(bench) as line:
        assert ask(line, "/shop.Cart/Get"), "the control"
        before = len(bench.carts.ran)
        with pytest.raises(grpc.RpcError) as refused:
            ask(line, method)
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED
    assert len(bench.carts.ran) == before


def test_what_a_caller_claims_beside_its_call_does_not_reach_the_application(bench: Bench) -> None:
    """The proof tries that over HTTP alone: at its copies answers a program that speaks no gRPC."""
    said = [(name.lower(), "claimed") for names in CLAIMS.values() for name in names]
    with channel(bench) as line:
        called: Any = line.unary_unary("/shop.Cart/Get")
        for name, value in said:
            bench.carts.seen = {}
            metadata = [(name, value), ("x-kept", "control")]
            assert called(b"ada", timeout=10, wait_for_ready=True, metadata=metadata) == b"cart of ada"
            assert "claimed" not in bench.carts.seen.values(), name
            assert bench.carts.seen["x-kept"] == "control"


def test_a_stream_is_not_cut_when_a_request_would_be(bench: Bench) -> None:
    with channel(bench) as line:
        began, watch = time.monotonic(), cast("Any", line.unary_stream("/shop.Cart/Watch"))
        numbers = [int(one) for one in watch(b"", timeout=60, wait_for_ready=True)]
    assert numbers == list(range(100))
    assert time.monotonic() - began > 16, "longer than the time of a request"


def looked(bench: Bench, attempt: Request | Hold, who: Ref, target: Target, **more: Any) -> Seen:
    """As `garrison prove` looks, from where `who` would."""
    folder = bench.estate.identity(who)
    spec: dict[str, Any] = {"host": "127.0.0.1", "port": bench.estate.inbound[target.ref], **more}
    if isinstance(attempt, Request):
        spec |= {"action": "http", "method": attempt.operation.method, "path": attempt.operation.path}
        spec |= {"headers": {"content-type": "application/grpc", "te": "trailers"}, "body": UNREAD}
    else:
        spec |= {"action": "hold", "resume": attempt.resumed}
    if attempt.tls:
        own = {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")}
        asked = getattr(attempt, "asked", "") or server_name(target.ref, target.port)
        spec["tls"] = {"maximum": "1.2" if attempt.tls12 else "1.3", "sni": asked}
        spec["tls"] |= own if attempt.credential == "own" else {}
    return read(attempt, observe(spec, 5.0))


def test_the_proof_asks_without_any_handler_running(bench: Bench) -> None:
    def asked(path: str, who: Ref, credential: Any = "own") -> Seen:
        request = Request(Operation("POST", path), credential=credential, grpc=True)
        return looked(bench, request, who, Target(CART))

    before = len(bench.carts.ran)
    good = asked("/shop.Cart/Get", FRONT)
    assert good.verdict == "allowed", good.reason
    assert (asked("/shop.Cart/Get", STRANGER).layer, asked("/shop.Cart/Empty", FRONT).layer) == ("authorization",) * 2
    assert asked("/shop.Cart/Get", FRONT, "none").layer == "identity"
    assert len(bench.carts.ran) == before


def test_a_caller_whose_callee_is_somebody_else_says_so_and_one_that_finds_nobody_does_not(
    tmp_path: Path,
) -> None:
    """Over HTTP/2 Envoy tells its log alone that it was the handshake, where the proof looks for it."""

    def told(estate: Estate) -> Seen:
        request = Request(Operation("POST", "/shop.Cart/Get"), tls=False, through_proxy=True, misled=True, grpc=True)
        headers = {"content-type": "application/grpc", "te": "trailers", "x-request-id": str(uuid4())}
        spec = {"action": "http", "host": "127.0.0.1", "port": estate.outbound[FRONT, Target(CART)]}
        asked = {"headers": headers, "body": UNREAD, "method": "POST", "path": request.operation.path}
        seen = observe(spec | asked, 5.0)
        assert seen["grpc"] == UNAVAILABLE

        def reason() -> str:
            return details(estate.log(FRONT)).get(headers["x-request-id"], "")

        eventually(lambda: bool(reason()), "the proxy's log has it")
        return read(request, seen | {"body": f"{seen['body']} {reason()}"})

    lobby = Ref("shop", "lobby")
    with standing(estate(), tmp_path / "impostor", {}, moved={CART: lobby}) as misled:
        seen = told(misled)
        assert (seen.verdict, seen.layer) == ("refused", "identity"), seen.reason
    with standing(estate(), tmp_path / "cut", {}, ("callee's name", FRONT), moved={CART: lobby}) as misled:
        seen = told(misled)
        assert (seen.verdict, seen.layer) == ("refused", "authorization"), seen.reason
    with standing(estate(), tmp_path / "nobody", {}, moved={CART: free_port()}) as misled:
        seen = told(misled)
        assert (seen.verdict, seen.layer) == ("refused", "network"), seen.reason


# --- TCP -------------------------------------------------------------------------------------------------------------


def greeted(port: int, host: str = "127.0.0.1") -> bytes:
    with socket.create_connection((host, port), timeout=5) as line:
        heard = line.recv(100)
        line.sendall(b"hello")
        return heard + line.recv(100)


def test_a_declared_caller_finds_the_server_at_its_own_port_and_where_the_image_looks(bench: Bench) -> None:
    assert greeted(bench.estate.outbound[FRONT, Target(GREETER)]) == GREETING + b"hello"
    (((host, number), port),) = bench.estate.aliases.items()
    assert (host, number) == ("127.0.1.1", 2525)
    assert greeted(port, host) == GREETING + b"hello"


REFUSED = {
    "undeclared caller": (Hold(credential="own"), STRANGER, Target(GREETER), "identity"),
    "no certificate": (Hold(), FRONT, Target(GREETER), "identity"),
    "plaintext": (Hold(tls=False), FRONT, Target(GREETER), "identity"),
    "TLS 1.2": (Hold(credential="own", tls12=True), FRONT, Target(GREETER), "identity"),
    "undeclared port": (
        Hold(credential="own", asked="x.greeter.shop.svc.cluster.local"),
        FRONT,
        Target(GREETER),
        "identity",
    ),
    "another port": (Hold(credential="own"), FRONT, Target(GREETER, "quiet"), "identity"),
    "resumed session": (Hold(credential="own", resumed=True), FRONT, Target(GREETER), "identity"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_nobody_else_gets_a_word_out_of_a_server_that_speaks_first(bench: Bench, case: str) -> None:
    attempt, who, target, layer = REFUSED[case]
    good = looked(bench, Hold(credential="own"), FRONT, Target(GREETER))
    assert (good.verdict, good.reason) == ("allowed", "it stays open"), "the control"
    seen = looked(bench, attempt, who, target)
    assert (seen.verdict, seen.layer) == ("refused", layer), seen.reason


def hears(bench: Bench, who: Ref) -> bytes:
    """What a server that speaks first says to whoever shows this certificate."""
    made = context(bench.estate.identity(who))
    with socket.create_connection(("127.0.0.1", bench.estate.inbound[GREETER]), timeout=5) as plain:
        try:
            with made.wrap_socket(plain, server_hostname=server_name(GREETER)) as line:
                return line.recv(100)
        except (ssl.SSLError, ConnectionError):
            return b""


def test_with_the_rule_alone_a_stranger_of_the_estate_would_hear_the_greeting(bench: Bench, tmp_path: Path) -> None:
    """The easy way is no way: Envoy's rule for connections is asked when the client says something."""
    assert (hears(bench, FRONT), hears(bench, STRANGER)) == (GREETING, b"")
    applications = {(GREETER, 2525): bench.greeter.port, (GREETER, 2526): bench.greeter.port}
    with standing(estate(), tmp_path, applications, ("trust domain", GREETER)) as weaker:
        weak = Bench(weaker, bench.carts, bench.greeter)
        assert (hears(weak, FRONT), hears(weak, STRANGER)) == (GREETING, GREETING)
        assert looked(weak, Hold(credential="own"), STRANGER, Target(GREETER)).verdict == "allowed", "and it is noticed"


# --- health ----------------------------------------------------------------------------------------------------------


def test_the_proxy_asks_the_application_in_its_own_protocol_and_the_kubelet_asks_the_proxy(bench: Bench) -> None:
    cart, greeter = bench.estate.health[CART], bench.estate.health[GREETER]
    eventually(lambda: (status_at(cart, "/healthz"), status_at(greeter, "/healthz")) == (200, 200), "both are ready")
    bench.carts.healthy = False
    try:
        eventually(lambda: status_at(cart, "/healthz") == 503, "it says so")
    finally:
        bench.carts.healthy = True
    assert status_at(cart, "/livez") == 200, "it accepts connections, so nobody starts it anew"
    eventually(lambda: status_at(cart, "/healthz") == 200, "it is ready again")
    assert status_at(cart, "/proxy") == 200
    assert status_at(cart, "/other") == 404


class Silent(Greeter):
    """Waits for its client, as Redis does."""

    def _serve(self, line: socket.socket) -> None:
        with line, contextlib.suppress(OSError):
            while line.recv(1000):
                pass


@pytest.mark.parametrize("application", [Greeter, Silent])
def test_a_session_that_is_resumed_is_noticed_whoever_speaks_first(
    bench: Bench, tmp_path: Path, application: type[Greeter]
) -> None:
    there = application()
    applications = {(GREETER, 2525): there.port, (GREETER, 2526): there.port}
    for cut, verdict in (("", "refused"), ("whole handshakes", "allowed")):
        with standing(estate(), tmp_path / verdict, applications, (cut, GREETER) if cut else None) as made:
            looking = Bench(made, bench.carts, there)
            assert looked(looking, Hold(credential="own"), FRONT, Target(GREETER)).verdict == "allowed", "the control"
            seen = looked(looking, Hold(credential="own", resumed=True), FRONT, Target(GREETER))
            assert seen.verdict == verdict, (seen.reason, cut)
