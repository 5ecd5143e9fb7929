"""Real sidecars on loopback: a callee and a caller with the derived configuration, and clients made to order."""

from __future__ import annotations

import http.client
import http.server
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from garrison.cluster import Cluster
from garrison.derive import mesh
from garrison.model.graph import Graph
from garrison.prove.look import opening
from garrison.words import Ref
from harness.build import binary
from harness.ports import free_port
from unit.authority import Authority
from unit.estates import shop_app

ORDERS = "spiffe://estate.example/ns/shop/sa/orders"
CATALOG = "spiffe://estate.example/ns/shop/sa/catalog"


class Application(http.server.BaseHTTPRequestHandler):
    """Answers with what reached it, as JSON."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.dumps(
            {"method": self.command, "path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}}
        ).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_HEAD = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 the names http.server looks for

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
    proxy: int  # the process of the callee's sidecar
    application: int
    patience: float = 5  # seconds for an answer; where there has to be one, more do no harm


def start_envoy(
    graph: Graph, name: str, folder: Path, places: dict[str, str], cut: str = ""
) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True)
    config = mesh.config(graph, Cluster(), graph.by_ref[Ref("shop", name)])
    for file, text in (opening.without(cut, config) if cut else config).items():
        for old, new in {"/etc/envoy": str(folder), **places}.items():
            text = text.replace(old, new)
        (folder / file).write_text(text)
    command = [binary("envoy"), "-c", folder / "envoy.json", "--disable-hot-restart", "--concurrency", "1"]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen([str(part) for part in command], stdout=log, stderr=subprocess.STDOUT)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-2000:]
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.05)
    raise AssertionError(f"nothing listens on {port}: {log.read_text()[-2000:]}")


@contextmanager
def listening(
    command: Sequence[object], log: Path, port: int, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """A process from when it listens there; its output is in the log."""
    with log.open("wb") as out:
        words = [str(part) for part in command]
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, env=environment)
    try:
        wait_for(port, process, log)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


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


@contextmanager
def stand(
    folder: Path, changes: Mapping[str, str] | None = None, application: type[Application] = Application
) -> Iterator[Bench]:
    """The sidecars of `catalog` and of its caller `orders`; `changes` replace text of their configurations."""
    root = Authority.fresh()
    for name, uri in (("orders", ORDERS), ("catalog", CATALOG)):
        root.issue(folder / "id" / name, uri=uri)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    graph = shop_app().graph()
    inbound, health, outbound = free_port(), free_port(), free_port()
    app = str(server.server_address[1])
    moved = {"8443": str(inbound), "15021": str(health), '"port_value":8080': f'"port_value":{app}'}
    moved |= {"0.0.0.0": "127.0.0.1", **(changes or {})}
    callee = moved | {p: str(folder / "id" / "catalog") for p in ("/run/identity", "/run/trust")}
    caller = in_front_of("orders", folder, outbound, inbound) | dict(changes or {})
    processes = [start_envoy(graph, n, folder / n, m) for n, m in (("catalog", callee), ("orders", caller))]
    try:
        wait_for(inbound, processes[0], folder / "catalog" / "log")
        wait_for(outbound, processes[1], folder / "orders" / "log")
        yield Bench(root, folder, inbound, outbound, health, folder / "catalog" / "log", processes[0].pid, int(app))
    finally:
        for process in processes:
            process.terminate()
            process.wait(10)
        server.shutdown()


@contextmanager
def another_callee(bench: Bench, folder: Path, name: str, cut: str = "") -> Iterator[int]:
    """One more sidecar of `catalog` with this identity; its application is the first one's."""
    inbound = free_port()
    moved = {"8443": str(inbound), "15021": str(free_port()), "0.0.0.0": "127.0.0.1"}
    moved |= {'"port_value":8080': f'"port_value":{bench.application}'}
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


def context(folder: Path | None, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.maximum_version = newest
    if folder:
        made.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    return made


def ask(bench: Bench, method: str, path: str, tls: ssl.SSLContext | None, **headers: str) -> tuple[int, str]:
    made = (
        http.client.HTTPSConnection("127.0.0.1", bench.inbound, context=tls, timeout=bench.patience)
        if tls
        else http.client.HTTPConnection("127.0.0.1", bench.inbound, timeout=bench.patience)
    )
    try:
        made.request(method, path, headers=headers)
        answer = made.getresponse()
        return answer.status, answer.read().decode()
    finally:
        made.close()


def own(bench: Bench, name: str = "orders") -> ssl.SSLContext:
    return context(bench.folder / "id" / name)


def status_at(port: int, path: str) -> int:
    """The status of the answer to a GET in clear, as the kubelet asks; 0 while there is none."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", path)
        return line.getresponse().status
    except OSError:
        return 0
    finally:
        line.close()


def eventually(holds: Callable[[], bool], what: str, seconds: float = 20) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"it did not come to pass that {what}"
        threading.Event().wait(0.05)


def raw(bench: Bench, text: str, port: int = 0) -> bytes:
    """What comes back for these bytes over the caller's TLS, or in clear at `port`."""
    with socket.create_connection(("127.0.0.1", port or bench.inbound), timeout=bench.patience) as plain:
        line = plain if port else own(bench).wrap_socket(plain)
        with line:
            line.sendall(text.encode("latin-1"))
            return answer_of(line, text.partition(" ")[0])


def answer_of(line: socket.socket, method: str) -> bytes:
    """Everything until the other side closes, or one answer is whole."""
    response = http.client.HTTPResponse(line, method=method)
    try:
        response.begin()
        return f"{response.status} ".encode() + response.read()
    except (http.client.HTTPException, ConnectionError, ssl.SSLError):
        return b""
