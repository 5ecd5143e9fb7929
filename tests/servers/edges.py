"""A real edge on loopback: Envoy with the derived configuration, an issuer, a service that counts, clients to order."""

from __future__ import annotations

import http.client
import http.server
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster, Entrance
from garrison.derive import tokens
from garrison.derive.edge import bootstrap, files, login, names
from garrison.model.graph import Graph
from harness.build import binary
from servers.authority import Authority
from servers.issuing import Signer, published
from servers.proxies import answer_of, free_port, wait_for
from unit.edges import API, WWW, edge_app

CLUSTER = Cluster(entrance=Entrance(port=8443, service="NodePort", node_port=30443))
CLIENT_ID = "client-of-www"


class Counter(http.server.BaseHTTPRequestHandler):
    """The service behind the edge: it counts, and answers with what reached it."""

    protocol_version = "HTTP/1.1"
    seen: list[str]

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if self.headers.get("transfer-encoding"):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                self.rfile.read(size + 2)
            self.rfile.readline()
        self.rfile.read(length)
        self.seen.append(f"{self.command} {self.path}")
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.dumps({"method": self.command, "path": self.path, "headers": headers}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = do_OPTIONS = do_PATCH = do_TRACE = answer  # noqa: N815

    def log_message(self, *args: object) -> None:
        """Quiet."""


@dataclass
class Edge:
    root: Authority
    folder: Path
    port: int
    mesh: int
    health: int
    process: subprocess.Popen[bytes]
    signers: dict[str, Signer]
    seen: list[str]
    asked: list[str]
    places: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def lines(self, **wanted: Any) -> list[dict[str, Any]]:
        """The access log's lines with these fields."""
        rows = [json.loads(row) for row in self.log.read_text().splitlines() if row.startswith("{")]
        return [row for row in rows if wanted.items() <= row.items()]

    def moved(self, text: str) -> str:
        for old, new in self.places.items():
            text = text.replace(old, new)
        return text

    def token(self, subject: str = "alice", host: str = API, **claims: Any) -> str:
        return self.signers[host].token(subject, **{"groups": ["customers"], **claims})


@contextmanager
def stand(folder: Path, graph: Graph | None = None, changes: Mapping[str, str] | None = None) -> Iterator[Edge]:
    """One edge; `changes` replace text of its files."""
    graph = graph or edge_app().graph()
    root = Authority.fresh()
    ids = folder / "id"
    root.issue(ids / "edge", uri=graph.spiffe_id(d.EDGE))
    for host in names.host_names(graph):
        root.issue(folder / "hosts" / names.label_of(host), dns=host)
    signers = {
        host: Signer(one.issuer, (*one.audiences, CLIENT_ID)[0])
        for host in (API, WWW)
        for one in tokens.at_host(graph, CLUSTER, host)
    }
    for signer in signers.values():
        signer.rotate()
    issuer = published(signers[API], root.issue(ids / "users", dns="users.users.svc"))
    for signer in signers.values():
        signer.keys = signers[API].keys
    seen: list[str] = []
    services = {ref: _service(root, ids / ref.name, graph.spiffe_id(ref), seen) for ref in graph.routes_of}
    public, mesh, health = free_port(), free_port(), free_port()
    places = {
        str(d.EDGE_PORT): str(public),
        str(d.HEALTH_PORT): str(health),
        d.RUN_DIR: str(folder / "run"),
        "/run/login": str(folder / "login"),
        d.ADMIN_SOCKET: str(folder / "a"),
        "/run/hosts": str(folder / "hosts"),
        "/etc/envoy": str(folder),
        d.IDENTITY_DIR: str(ids / "edge"),
        d.TRUST_DIR: str(ids / "edge"),
        '"address":"users.users.svc","port_value":8200': f'"address":"localhost","port_value":{issuer.server_address[1]}',
        **{
            f'"address":"{ref.name}.{ref.namespace}.svc.cluster.local","port_value":8443': (
                f'"address":"localhost","port_value":{server.server_address[1]}'
            )
            for ref, server in services.items()
        },
        '"port_value":8443': f'"port_value":{mesh}',
        "0.0.0.0": "127.0.0.1",
        **(changes or {}),
    }
    made = Edge(root, folder, public, mesh, health, None, signers, seen, issuer.asked, places)  # type: ignore
    write(made, graph)
    command = [binary("envoy"), "-c", folder / "envoy.json", "--disable-hot-restart", "--concurrency", "2"]
    command += ["--reject-unknown-dynamic-fields"]
    made.process = subprocess.Popen([str(one) for one in command], stdout=made.log.open("wb"), stderr=subprocess.STDOUT)
    try:
        wait_for(public, made.process, made.log)
        yield made
    finally:
        made.process.terminate()
        made.process.wait(10)
        for server in (issuer, *services.values()):
            server.shutdown()
            server.server_close()


def write(edge: Edge, graph: Graph) -> None:
    """Every file of an edge that is to start."""
    for folder in ("run", "login"):
        (edge.folder / folder).mkdir(exist_ok=True)
    for name, text in bootstrap.config(graph, CLUSTER).items():
        (edge.folder / name).write_text(edge.moved(text))
    bring(edge, files.dynamic(graph, CLUSTER))
    for host in (host.name for host in graph.hosts if host.login):
        kinds = login.responses(graph, CLUSTER)(host, CLIENT_ID)
        for kind, response in kinds.items():
            (edge.folder / "login" / f"{kind}-{host}.json").write_text(edge.moved(json.dumps(response)))
        for kind in ("client", "cookie"):
            secret = {"resources": [_generic(f"{kind}-{host}", "x" * 32)]}
            (edge.folder / "login" / f"{kind}-{host}.json").write_text(json.dumps(secret))


def _generic(name: str, value: str) -> dict[str, Any]:
    kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
    return {"@type": kind, "name": name, "generic_secret": {"secret": {"inline_string": value}}}


def bring(edge: Edge, data: Mapping[str, str]) -> None:
    """Files to where Envoy watches, each in one step."""
    for name, text in data.items():
        beside = edge.folder / f"{name}.new"
        beside.write_text(edge.moved(text))
        beside.replace(edge.run / name)


def _service(root: Authority, folder: Path, uri: str, seen: list[str]) -> http.server.ThreadingHTTPServer:
    root.issue(folder, uri=uri)
    handler = type("Service", (Counter,), {"seen": seen})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    tls.load_verify_locations(folder / "ca.pem")
    tls.verify_mode = ssl.CERT_REQUIRED
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def connect(edge: Edge, name: str = API, protocols: tuple[str, ...] = ("http/1.1",)) -> ssl.SSLSocket:
    """TLS to the edge as a client that trusts it, with this server name."""
    tls = ssl.create_default_context(cafile=str(edge.folder / "id" / "edge" / "ca.pem"))
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    tls.set_alpn_protocols([*protocols])
    plain = socket.create_connection(("127.0.0.1", edge.port), timeout=10)
    try:
        return tls.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def ask(
    edge: Edge,
    method: str,
    path: str,
    *,
    at: str = API,
    body: bytes | None = None,
    token: str = "",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request over HTTP/1.1 to a host of the edge."""
    given = {"host": at, **(headers or {})}
    given |= {"authorization": f"Bearer {token}"} if token else {}
    made = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
    made.sock = connect(edge, at)
    try:
        made.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in given.items():
            made.putheader(name, value)
        if body is not None:
            made.putheader("content-length", str(len(body)))
        made.endheaders(body)
        answer = made.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read().decode())
    finally:
        made.close()


def raw(edge: Edge, request: bytes, name: str = API) -> bytes:
    """What comes back for these bytes: the status and the body, or nothing."""
    with connect(edge, name) as line:
        line.sendall(request)
        return answer_of(line, request.split(b" ")[0].decode("latin-1"))
