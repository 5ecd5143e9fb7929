"""The way out on loopback, all of it real but the pods: a caller's sidecar, the egress gateway, a resolver, providers.

Whoever owns a name says where it leads: the resolver is a real CoreDNS, whose answers are changed under way.
"""

from __future__ import annotations

import http.client
import http.server
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from garrison import App
from garrison import defaults as d
from garrison.cluster import Cluster, Egress
from garrison.derive import mesh
from garrison.derive.egress import bootstrap
from garrison.derive.names import Way, way_out
from garrison.model.graph import Graph
from garrison.words import Ref
from harness.build import binary
from harness.ports import free_port
from servers.proxies import answer_of, listening
from unit.authority import Authority
from unit.estates import DIGEST, IMAGES

PSP = "api.psp.example"
OTHER = "other.psp.example"  # of the same provider, so with a good certificate; nobody calls it but `reports`
ELSEWHERE = "127.0.0.2"  # stands for an address of the internet: the one that is let out
MAPPED = "mapped.psp.example"  # leads to ::ffff:127.0.0.1, an IPv4 address in words of IPv6
INSIDE = "127.0.0.1"  # a service of somebody's inside, at the provider's port
ALLOWED = "10.99.0.1"  # what the derived configuration calls ELSEWHERE
CHARGE = "POST /v1/charges"
Cut = Callable[[dict[str, str]], dict[str, str]]
Handler = type[http.server.BaseHTTPRequestHandler]


class Provider(http.server.BaseHTTPRequestHandler):
    """Answers with what reached it."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        heard = {"method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}
        body = json.dumps(heard).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_DELETE = do_GET  # noqa: N815 the names http.server looks for

    def log_message(self, *args: object) -> None:
        """Quiet."""


class Server(http.server.ThreadingHTTPServer):
    """Counts connections, also those of which nothing came."""

    reached = 0

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        made = super().get_request()
        self.reached += 1
        return made


@dataclass(frozen=True)
class Bench:
    graph: Graph
    root: Authority
    folder: Path
    gateway: int
    sidecar: int  # of `payments`, where it calls the provider
    own: int  # of `reports`, where it connects to it
    port: int  # of the providers
    provider: Server
    inside: Server
    resolver: int
    config: Mapping[str, str]
    answers: dict[str, list[str]] = field(default_factory=dict)

    def identity(self, name: str) -> ssl.SSLContext:
        """TLS as that service; of whom there is no folder, as nobody."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
        if name:
            made.load_cert_chain(self.folder / "id" / name / "tls.crt", self.folder / "id" / name / "tls.key")
        return made

    def asked_for(self, host: str = PSP, way: Way = "calls") -> str:
        return way_out(Ref("", f"{host}:{self.port}"), way)

    def call(self, operation: str, caller: str = "payments", host: str = PSP, **headers: str) -> tuple[int, str]:
        """At the gateway itself, as that caller; raises OSError where the connection ends without an answer."""
        method, _, path = operation.partition(" ")
        with self.line(caller, self.asked_for(host)) as line:
            said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            line.sendall(f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{said}content-length: 0\r\n\r\n".encode())
            status, _, body = answer_of(line, method).decode().partition(" ")
            if not status:
                raise ConnectionResetError("no answer")
            return int(status), body

    def line(self, caller: str, server_name: str) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", self.gateway), timeout=10)
        return self.identity(caller).wrap_socket(plain, server_hostname=server_name)

    def through_sidecar(self, operation: str, **headers: str) -> tuple[int, str]:
        method, _, path = operation.partition(" ")
        made = http.client.HTTPConnection("127.0.0.1", self.sidecar, timeout=20)
        try:
            made.request(method, path, headers=headers)
            answer = made.getresponse()
            return answer.status, answer.read().decode()
        finally:
            made.close()

    def own_tls_through_sidecar(self) -> bytes:
        """As an application does it: its library looks at the certificate under the name that it asked for."""
        context = ssl.create_default_context(cafile=self.folder / "providers" / "ca.pem")
        with (
            socket.create_connection(("127.0.0.1", self.own), timeout=10) as plain,
            context.wrap_socket(plain, server_hostname=PSP) as line,
        ):
            line.sendall(f"GET /v1/own HTTP/1.1\r\nhost: {PSP}\r\nconnection: close\r\n\r\n".encode())
            return line.recv(4096)

    def own_tls(self, inner: str = PSP, caller: str = "reports", host: str = PSP) -> bytes:
        """What an application gets that speaks TLS with `inner` itself, over its sidecar's way to `host`; raises
        OSError where the connection ends before.
        """
        context = ssl.create_default_context(cafile=self.folder / "providers" / "ca.pem")
        with self.line(caller, self.asked_for(host, "connects")) as line:
            inside, out = ssl.MemoryBIO(), ssl.MemoryBIO()
            session = context.wrap_bio(inside, out, server_hostname=inner)
            _pumped(line, inside, out, session.do_handshake)
            ask = f"GET /v1/own HTTP/1.1\r\nhost: {inner}\r\nconnection: close\r\n\r\n".encode()
            _pumped(line, inside, out, lambda: session.write(ask))
            return bytes(_pumped(line, inside, out, lambda: session.read(4096)))

    def in_clear(self, text: bytes, caller: str = "reports", host: str = PSP) -> bytes:
        """What comes back for bytes that are no TLS."""
        with self.line(caller, self.asked_for(host, "connects")) as line:
            line.sendall(text)
            return line.recv(4096)

    def leads(self, **answers: list[str]) -> None:
        """Let names lead there; dots as `_`."""
        self.answers.update({name.replace("_", "."): addresses for name, addresses in answers.items()})
        rows = [f"{address} {name}\n" for name, addresses in self.answers.items() for address in addresses]
        fresh = self.folder / "hosts.new"
        fresh.write_text("".join(rows))
        fresh.replace(self.folder / "hosts")

    @property
    def log(self) -> str:
        return (self.folder / "gateway" / "log").read_text()


def _pumped(line: ssl.SSLSocket, inside: ssl.MemoryBIO, out: ssl.MemoryBIO, act: Callable[[], object]) -> bytes:
    """TLS in TLS: what the inner session wants to say and hear goes over the outer line."""
    while True:
        try:
            got = act()
            line.sendall(out.read())
            return got if isinstance(got, bytes) else b""
        except ssl.SSLWantReadError:
            line.sendall(out.read())
            more = line.recv(16384)
            if not more:
                raise ConnectionResetError("the line ended") from None
            inside.write(more)


def estate(port: int) -> App:
    """`payments` calls one operation of the provider, `reports` speaks TLS of its own with it, and has another host."""
    app = App("estate", trust_domain="estate.example", images=IMAGES)
    bank = app.namespace("bank")
    payments, reports, audit = (
        bank.service(name, image=f"registry.example/{name}{DIGEST}", port=8080)
        for name in ("payments", "reports", "audit")
    )
    psp, other, mapped = (app.external(name, port=port) for name in (PSP, OTHER, MAPPED))
    payments.calls(psp, CHARGE, "GET /v1/charges/{id}")
    reports.connects(psp)
    reports.connects(other)
    audit.calls(other, "GET /v1/reports")
    audit.calls(mapped, "GET /v1/reports")
    return app


@contextmanager
def stand(folder: Path, cut: Cut = lambda texts: texts, handler: Handler = Provider) -> Iterator[Bench]:
    """Everything running; `cut` changes the derived files of the gateway, `handler` is how providers answer."""
    root, providers, port = Authority.fresh(), Authority.fresh("providers"), free_port()
    graph = estate(port).graph()
    for ref in (*graph.by_ref, d.EGRESS):
        root.issue(folder / "id" / ref.name, uri=graph.spiffe_id(ref))
    root.issue(folder / "id" / "nobody", uri="spiffe://estate.example/ns/bank/sa/nobody")
    root.issue(folder / "id" / "far", uri="spiffe://far.example/ns/bank/sa/payments")
    Authority.fresh("another root").issue(folder / "id" / "forged", uri=graph.spiffe_id(Ref("bank", "payments")))
    providers.issue(folder / "providers", dns="*.psp.example")
    ca = (folder / "providers" / "ca.pem").read_text()
    there = Cluster(
        egress=Egress(allowed=(f"{ALLOWED}/32",), authorities=tuple((host, ca) for host in (MAPPED, OTHER, PSP)))
    )
    (folder / "hosts").write_text("")
    with ExitStack() as stack:
        provider, inside = (
            stack.enter_context(_served(host, port, folder / "providers", handler)) for host in (ELSEWHERE, INSIDE)
        )
        resolver, config = stack.enter_context(_resolver(folder)), bootstrap.config(graph, there)
        ports = free_port(), free_port(), free_port(), port
        bench = Bench(graph, root, folder, *ports, provider, inside, resolver, config)
        bench.leads(api_psp_example=[ELSEWHERE], other_psp_example=[ELSEWHERE])
        stack.enter_context(gateway(bench, folder / "gateway", cut(config), bench.gateway))
        for name, where in (("payments", bench.sidecar), ("reports", bench.own)):
            config = mesh.config(graph, there, graph.by_ref[Ref("bank", name)])
            stack.enter_context(_sidecar(bench, folder / name, config, where))
        yield bench


@contextmanager
def _served(host: str, port: int, files: Path, handler: Handler) -> Iterator[Server]:
    server = Server((host, port), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "tls.crt", files / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _resolver(folder: Path) -> Iterator[int]:
    port, log = free_port(), folder / "dns.log"
    hosts = f"hosts {folder / 'hosts'} {{\n reload 100ms\n ttl 1\n }}"
    answer = 'answer "{{ .Name }} 1 IN AAAA ::ffff:127.0.0.1"'
    mapped = f"template IN AAAA {MAPPED} {{\n {answer}\n }}"
    (folder / "Corefile").write_text(f".:{port} {{\n bind 127.0.0.1\n {mapped}\n {hosts}\n }}\n")
    with listening([binary("coredns"), "-conf", folder / "Corefile"], log, port):
        yield port


@contextmanager
def gateway(bench: Bench, folder: Path, config: Mapping[str, str], where: int) -> Iterator[None]:
    address = f'{{"socket_address":{{"address":"127.0.0.1","port_value":{bench.resolver}}}}}'
    search = '"no_default_search_domain":true}'
    places = {
        '"address":"0.0.0.0","port_value":8443': f'"address":"127.0.0.1","port_value":{where}',
        '"address":"0.0.0.0","port_value":15021': f'"address":"127.0.0.1","port_value":{free_port()}',
        search: f'{search},"resolvers":[{address}]',
        '"respect_dns_ttl":true': '"respect_dns_ttl":true,"dns_refresh_rate":"0.5s"',
        f'"{ALLOWED}"': f'"{ELSEWHERE}"',
        **{path: str(bench.folder / "id" / d.EGRESS.name) for path in (d.IDENTITY_DIR, d.TRUST_DIR)},
    }
    with _envoy(folder, config, places, where):
        yield


@contextmanager
def _sidecar(bench: Bench, folder: Path, config: Mapping[str, str], where: int) -> Iterator[None]:
    gateway = '"address":"gateway.egress.svc.cluster.local","port_value":8443'
    places = {
        gateway: f'"address":"localhost","port_value":{bench.gateway}',
        '"address":"0.0.0.0","port_value":8443': f'"address":"127.0.0.1","port_value":{free_port()}',
        '"address":"0.0.0.0","port_value":15021': f'"address":"127.0.0.1","port_value":{free_port()}',
        f'"port_value":{d.OUTBOUND_PORT + 1}': f'"port_value":{free_port()}',
        f'"port_value":{d.OUTBOUND_PORT}': f'"port_value":{where}',
        **{path: str(bench.folder / "id" / folder.name) for path in (d.IDENTITY_DIR, d.TRUST_DIR)},
    }
    with _envoy(folder, config, places, where):
        yield


@contextmanager
def _envoy(folder: Path, config: Mapping[str, str], places: Mapping[str, str], port: int) -> Iterator[None]:
    folder.mkdir(parents=True)
    for file, text in config.items():
        for old, new in {"/etc/envoy": str(folder), **places}.items():
            text = text.replace(old, new)
        (folder / file).write_text(text)
    command: list[str | Path] = [binary("envoy"), "-c", folder / "envoy.json", "--disable-hot-restart"]
    with listening([*command, "--concurrency", "1", "--file-flush-interval-msec", "50"], folder / "log", port):
        yield
