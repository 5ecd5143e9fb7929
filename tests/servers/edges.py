"""A real edge on loopback: Envoy with the derived configuration, an issuer, a service that counts, clients to order."""

from __future__ import annotations

import http.client
import http.server
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster, Entrance
from garrison.derive import contract_filter, contracts, tokens
from garrison.derive.edge import bootstrap, clusters, files, login, names
from garrison.derive.names import full_host, label_of
from garrison.manifest import compact
from garrison.model.graph import Graph
from harness.build import binary
from harness.ports import free_port
from servers.issuing import Signer, published
from servers.proxies import answer_of, eventually, status_at, wait_for
from unit.authority import Authority
from unit.edges import API, edge_app

CLUSTER = Cluster(entrance=Entrance(port=8443, service="NodePort", node_port=30443))
CLIENT_ID = "client-of-www"
ASKERS_SECRET = "edge-secret"  # with which the edge asks about opaque tokens
Serving = Callable[[Mapping[str, Path]], AbstractContextManager[dict[str, int]]]
"""Services by name and identity; yields their ports."""


class Counter(http.server.BaseHTTPRequestHandler):
    """The service behind the edge: it counts, and answers with what reached it."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece: two would wait 40 ms for each other
    seen: list[str]

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if self.headers.get("transfer-encoding"):
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
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
    signers: dict[str, Signer]
    seen: list[str]
    """What reached a service."""
    asked: list[str]
    """What the issuer was asked for."""
    places: dict[str, str]
    agent: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    judge: subprocess.Popen[bytes] | None = None
    cluster: Cluster = CLUSTER

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def said(self) -> Path:
        """What the agent says."""
        return self.folder / "agent.log"

    def says(self, path: str) -> int:
        """What the agent answers to the kubelet."""
        return status_at(self.agent, path)

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
def stand(
    folder: Path,
    graph: Graph | None = None,
    changes: Mapping[str, str] | None = None,
    root: Authority | None = None,
    services: Serving | None = None,
    limiter: int = 0,
) -> Iterator[Edge]:
    """One edge; `changes` replace text of its files, `services` stand in for those that count.

    `limiter` is the port of who counts for all of them.
    """
    graph = graph or edge_app().graph()
    root = root or Authority.fresh()
    ids = folder / "id"
    root.issue(ids / "edge", uri=graph.spiffe_id(d.EDGE))
    for host in names.host_names(graph):
        root.issue(folder / "hosts" / label_of(host), dns=host)
    signers = {
        host.name: Signer(one.issuer, (*one.audiences, CLIENT_ID)[0])
        for host in graph.hosts
        for one in tokens.at_host(graph, CLUSTER, host.name)
    }
    keys = Signer("", "")
    keys.rotate()
    for signer in signers.values():
        signer.keys = keys.keys
    everybody = [clusters.place(authority) for authority in clusters.other_issuers(graph, CLUSTER)]
    others = [(host, port) for host, port in everybody if host != "localhost"]  # one that is here is asked itself
    issuer = published(keys, root.issue(ids / "users", dns=("users.users.svc", *(host for host, _ in others))))
    seen: list[str] = []
    identities = {ref.name: root.issue(ids / ref.name, uri=graph.spiffe_id(ref)) for ref in graph.by_ref}
    with (services or partial(counting, seen))(identities) as ports:
        elsewhere = f'"address":"localhost","port_value":{issuer.server_address[1]}'
        public, mesh, health, judging = free_port(), free_port(), free_port(), free_port()
        places = {
            str(d.EDGE_PORT): str(public),
            str(d.HEALTH_PORT): str(health),
            str(contract_filter.PORT): str(judging),
            d.RUN_DIR: str(folder / "run"),
            "/run/login": str(folder / "login"),
            d.ADMIN_SOCKET: str(folder / "a"),
            "/run/hosts": str(folder / "hosts"),
            "/etc/envoy": str(folder),
            d.IDENTITY_DIR: str(ids / "edge"),
            d.TRUST_DIR: str(ids / "edge"),
            d.SYSTEM_TRUST: str(ids / "edge" / "ca.pem"),
            **{
                f'"address":"{host}","port_value":{port}': elsewhere
                for host, port in (("users.users.svc", d.STORE_PORT), *others)
            },
            **{
                f'"address":"{ref.name}.{ref.namespace}.svc.cluster.local","port_value":8443': (
                    f'"address":"localhost","port_value":{ports[ref.name]}'
                )
                for ref in graph.by_ref
            },
            f'"address":"{full_host(d.LIMITS)}","port_value":8443': f'"address":"localhost","port_value":{limiter}',
            '"port_value":8443': f'"port_value":{mesh}',
            "0.0.0.0": "127.0.0.1",
            **(changes or {}),
        }
        made = Edge(root, folder, public, mesh, health, signers, seen, issuer.asked, places)  # type: ignore[attr-defined]
        if limiter:
            made.cluster = replace(CLUSTER, entrance=replace(CLUSTER.entrance, limits="global"))
        mount(made, graph)
        write(made, graph)
        with made.log.open("wb") as log, made.said.open("wb") as said:
            agent = subprocess.Popen(
                [sys.executable, "-m", "garrison_edge", *_flags(made, judging)], stdout=said, stderr=said
            )
            eventually(lambda: made.says("/copied") == 200, f"the agent has copied: {made.said.read_text()}")
            command = [binary("envoy"), "-c", folder / "envoy.json", "--disable-hot-restart", "--concurrency", "2"]
            command += ["--reject-unknown-dynamic-fields", "--log-level", "warning"]
            envoy = subprocess.Popen([str(one) for one in command], stdout=log, stderr=log)
        made.process, made.judge = envoy, agent
        try:
            wait_for(public, envoy, made.log)
            eventually(lambda: made.says("/ready") == 200, f"the proxy has taken all: {made.said.read_text()}")
            yield made
        finally:
            for process in (envoy, agent):
                process.terminate()
                process.wait(10)
            issuer.shutdown()
            issuer.server_close()


def _flags(edge: Edge, judging: int) -> list[str]:
    places = {
        "dynamic": edge.folder / "mount",
        "contracts": edge.folder / "contracts" / contracts.FILE,
        "run": edge.run,
        "admin": edge.folder / "a",
        "port": judging,
        "health": edge.agent,
        "health_address": "127.0.0.1",
        "introspection": edge.folder / names.INTROSPECTION,
    }
    return [f"--{name}={value}" for name, value in places.items()]


def mount(edge: Edge, graph: Graph, changes: Mapping[str, str] | None = None) -> None:
    """What the kubelet mounts, exchanged as a whole: a new folder, and one link renamed."""
    data = {name: edge.moved(text) for name, text in files.dynamic(graph, edge.cluster).items()} | dict(changes or {})
    for name, texts in (("contracts", contracts.data(graph)), ("mount", data)):
        folder = edge.folder / name
        folder.mkdir(exist_ok=True)
        made = folder / f"..{len(list(folder.iterdir()))}"
        made.mkdir()
        for file, text in texts.items():
            (made / file).write_text(text)
            if not (folder / file).is_symlink():
                (folder / file).symlink_to(Path("..data", file))
        for link in [one for one in folder.iterdir() if one.is_symlink() and one.name not in (*texts, "..data")]:
            link.unlink()
        (folder / "..new").symlink_to(made.name)
        (folder / "..new").rename(folder / "..data")


def write(edge: Edge, graph: Graph) -> None:
    """The bootstrap, and what the login agent would write."""
    for folder in ("run", "login"):
        (edge.folder / folder).mkdir(exist_ok=True)
    for name, text in bootstrap.config(graph, edge.cluster).items():
        (edge.folder / name).write_text(edge.moved(text))
    for host in (host.name for host in graph.hosts if host.login):
        kinds = login.responses(graph, edge.cluster)(host, CLIENT_ID)
        for kind, response in kinds.items():
            (edge.folder / "login" / f"{kind}-{host}.json").write_text(edge.moved(compact(response)))
        for kind in ("client", "cookie"):
            secret = {"resources": [_generic(f"{kind}-{host}", "x" * 32)]}
            (edge.folder / "login" / f"{kind}-{host}.json").write_text(compact(secret))
    for issuer in tokens.introspected(graph):
        (edge.folder / "login" / f"introspection-{issuer.name}").write_text(ASKERS_SECRET)


def _generic(name: str, value: str) -> dict[str, Any]:
    kind = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
    return {"@type": kind, "name": name, "generic_secret": {"secret": {"inline_string": value}}}


@contextmanager
def counting(seen: list[str], identities: Mapping[str, Path]) -> Iterator[dict[str, int]]:
    """Services that say in `seen` what reached them; yields their ports."""
    handler = type("Service", (Counter,), {"seen": seen})
    servers = {name: http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) for name in identities}
    for name, server in servers.items():
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(identities[name] / "tls.crt", identities[name] / "tls.key")
        tls.load_verify_locations(identities[name] / "ca.pem")
        tls.verify_mode = ssl.CERT_REQUIRED
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield {name: int(server.server_address[1]) for name, server in servers.items()}
    finally:
        for server in servers.values():
            server.shutdown()
            server.server_close()


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
