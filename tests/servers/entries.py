"""The way in on loopback, all of it real but the pods: the edge, a sidecar behind it, an application, an issuer's keys.

The issuer is nobody's product: its private key is here, so that every token can be had that a real one would not give.
"""

from __future__ import annotations

import http.server
import json
import re
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from garrison import App, Rate, claim, path
from garrison.cluster import Cluster
from garrison.derive import mesh
from garrison.derive.edge import bootstrap, files
from garrison.derive.names import label_of
from garrison.model.graph import Graph
from garrison.prove.expect.edge import claims_of
from garrison.prove.look.entry import Entry
from garrison.prove.look.forge_tokens import Key
from garrison.prove.look.tickets import Keys, NotHadError
from garrison.prove.trials import Ticket, Try, Want
from garrison.words import Ref
from harness.build import binary
from harness.ports import free_port
from servers.proxies import Application, listening
from unit.authority import Authority
from unit.estates import DIGEST, IMAGES

ISSUER, AUDIENCE = "https://issuer.example", "shop-api"
API, OTHER = "api.estate.example", "other.estate.example"
THERE = Cluster()
Change = Callable[[dict[str, Any]], dict[str, Any]]


def estate() -> Graph:
    """One service behind two hosts, with a route of each kind."""
    app = App("estate", trust_domain="estate.example", images=IMAGES | {"edge": f"registry.example/edge{DIGEST}"})
    orders = app.namespace("shop").service("orders", image="registry.example/orders" + DIGEST, port=8080)
    users = app.issuer(ISSUER, audience=AUDIENCE, jwks=f"{ISSUER}/keys")
    api, other = app.host(API), app.host(OTHER)
    orders.serves("POST /orders", at=[api, other], to=users.group("customers"), rate=Rate.per_minute(60, per="user"))
    own = (claim("customer") == path("id")) & (claim("level") > 3) | claim("groups").contains("helpers")
    orders.serves("GET /orders/{id}", at=api, to=users.anyone(), where=own)
    orders.serves("GET /items", at=api, public="the catalogue", rate=Rate.per_hour(40, per="address"))
    orders.serves("DELETE /orders/{id}", at=other, to=users.group("helpers"), where=claim("level") >= 5)
    return app.graph()


@dataclass
class Issuer:
    """Gives every token, good or not."""

    graph: Graph
    key: Key = field(default_factory=Key.fresh)
    removed: Key = field(default_factory=Key.fresh)

    def give(self, want: Want) -> Ticket:
        now, key = time.time(), self.key
        said: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "sub": want.person or "somebody"}
        said |= {"iat": int(now), "exp": int(now) + 600, **claims_of(want, "groups")}
        match want.flaw:
            case Try.WELL_FORMED:
                pass
            case Try.EXPIRED:
                said["exp"] = int(now) - 6
            case Try.NOT_YET:
                said["nbf"] = int(now) + 86_400
            case Try.WRONG_ISSUER:
                said["iss"] = f"{ISSUER}/"
            case Try.WRONG_AUDIENCE:
                said["aud"] = "somebody-else"
            case Try.NO_EXPIRY:
                del said["exp"]
            case Try.REMOVED_KEY:
                key = self.removed
            case _:
                raise NotHadError("nobody makes it")
        return Ticket(key.sign({"alg": "RS256", "typ": "JWT", "kid": "one"}, said), said)

    def keys(self, issuer: str) -> Keys:
        return [{**self.key.jwk, "kid": "one"}]


class Counting(Application):
    """Notes the ids of the requests that reached it."""

    reached: list[str]

    def do_GET(self) -> None:  # noqa: N802
        self.reached.append(self.headers.get("x-correlation-id", ""))
        super().do_GET()

    do_POST = do_DELETE = do_GET  # noqa: N815 the names http.server looks for


@dataclass(frozen=True)
class Bench:
    graph: Graph
    issuer: Issuer
    entry: Entry
    reached: list[str]
    logs: tuple[Path, ...]
    sidecar: int
    identities: Path


@contextmanager
def stand(
    folder: Path, graph: Graph | None = None, cut: Change = lambda texts: texts, issuer: Issuer | None = None
) -> Iterator[Bench]:
    """Everything running; `cut` changes the derived files of the edge and of the sidecar, by file name."""
    graph = graph or estate()
    root, issuer = Authority.fresh(), issuer or Issuer(graph)
    for ref in (Ref("edge", "edge"), Ref("shop", "orders")):
        root.issue(folder / "id" / ref.name, uri=graph.spiffe_id(ref))
    for host in graph.hosts:
        root.issue(folder / "hosts" / label_of(host.name), dns=host.name)
    root.issue(folder / "issuer", dns="issuer.example")
    reached: list[str] = []
    ports = {name: free_port() for name in ("public", "edge mesh", "edge health", "inbound", "health", "agent")}
    with ExitStack() as stack:
        app = stack.enter_context(_application(reached))
        keys = stack.enter_context(_keys(folder / "issuer", issuer))
        places = _places(folder, ports, app, keys)
        sidecar = _named(cut, mesh.config(graph, THERE, graph.by_ref[Ref("shop", "orders")]), "sidecar ")
        edge = _named(cut, bootstrap.config(graph, THERE) | files.dynamic(graph, THERE), "edge ")
        logs = []
        for name, config, port in (("orders", sidecar, "inbound"), ("edge", edge, "public")):
            logs.append(folder / name / "log")
            stack.enter_context(_envoy(folder / name, config, places[name], ports[port], name == "edge"))
        entry = Entry("127.0.0.1", ports["public"], folder / "id" / "edge" / "ca.pem")
        yield Bench(graph, issuer, entry, reached, tuple(logs), ports["inbound"], folder / "id")


def _named(cut: Change, config: Mapping[str, str], stem: str) -> dict[str, str]:
    """The cut sees documents, each under the name of who reads it and of its file."""
    changed = cut({stem + name: json.loads(text) for name, text in config.items() if name.endswith(".json")})
    return {name.removeprefix(stem): json.dumps(document, separators=(",", ":")) for name, document in changed.items()}


def _places(folder: Path, ports: Mapping[str, int], app: int, keys: int) -> dict[str, dict[str, str]]:
    """Where everything is on one loopback: text of the derived files, and what stands there instead."""

    def moved(host: str, port: int, to: int) -> dict[str, str]:
        return {f'"address":"{host}","port_value":{port}': f'"address":"127.0.0.1","port_value":{to}'}

    orders = {
        **moved("0.0.0.0", 8443, ports["inbound"]),
        **moved("0.0.0.0", 15021, ports["health"]),
        **moved("127.0.0.1", 8080, app),
        **moved("edge.edge.svc.cluster.local", 8443, ports["edge mesh"]),
        **{place: str(folder / "id" / "orders") for place in ("/run/identity", "/run/trust")},
        "/etc/envoy": str(folder / "orders"),
    }
    edge = {
        **moved("0.0.0.0", 10443, ports["public"]),
        **moved("0.0.0.0", 8443, ports["edge mesh"]),
        **moved("0.0.0.0", 15021, ports["edge health"]),
        **moved("127.0.0.1", 9002, ports["agent"]),
        **moved("orders.shop.svc.cluster.local", 8443, ports["inbound"]),
        **moved("issuer.example", 443, keys),
        **{place: str(folder / "id" / "edge") for place in ("/run/identity", "/run/trust")},
        "/run/hosts": str(folder / "hosts"),
        "/etc/ssl/certs/ca-certificates.crt": str(folder / "id" / "edge" / "ca.pem"),
        "/run/admin/socket": str(folder / "admin"),
        "/run/edge": str(folder / "edge"),
        "/etc/envoy": str(folder / "edge"),
    }
    return {"orders": orders, "edge": edge}


@contextmanager
def _envoy(
    folder: Path, config: Mapping[str, str], places: Mapping[str, str], port: int, whole: bool
) -> Iterator[None]:
    folder.mkdir(parents=True)
    for file, text in config.items():
        found = re.sub("|".join(map(re.escape, places)), lambda match: places[match[0]], text)
        (folder / file).write_text(found)
    log = folder / "log"
    command = [binary("envoy"), "-c", folder / "envoy.json", "--disable-hot-restart", "--concurrency", "1"]
    command += ["--file-flush-interval-msec", "50", *(["--reject-unknown-dynamic-fields"] if whole else [])]
    with listening(command, log, port):
        yield


@contextmanager
def _application(reached: list[str]) -> Iterator[int]:
    handler = type("Handler", (Counting,), {"reached": reached})
    with _serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)) as port:
        yield port


@contextmanager
def _keys(files: Path, issuer: Issuer) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"keys": issuer.keys("")}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files / "tls.crt", files / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with _serving(server) as port:
        yield port


@contextmanager
def _serving(server: socketserver.TCPServer) -> Iterator[int]:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def entry_for(bench: Bench, port: int) -> Entry:
    return replace(bench.entry, port=port)
