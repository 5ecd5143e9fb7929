"""What a request costs the edge: CPU microseconds of Envoy a request, from a plain route to the derived chain.

    PYTHONPATH=components:policies:tests python benchmarks/edge.py

One run on loopback: the derived configuration with parts left out, so that each row adds one to the row before. The
same POST with 130 bytes of JSON, over connections that stay open; clients, agent and service are other processes or
threads and are not counted, but for the row of the agent. CPU time is what is stable on a busy machine; the rate is
that of the Python clients here, and says nothing about Envoy.
"""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from garrison import App, Rate, claim
from garrison.derive.edge import bootstrap, files
from garrison.model.graph import Graph
from harness.build import binary
from servers.edges import CLUSTER, Counter, Edge, stand
from servers.proxies import free_port, wait_for
from unit.edges import API
from unit.estates import DIGEST, IMAGES

Json = dict[str, Any]
REQUESTS, CLIENTS, RUNS = 4_000, 4, 3
BODY = json.dumps({"text": "x" * 118}).encode()
JWT, RBAC, CONTRACT = f"jwt.{API}", "envoy.filters.http.rbac", "envoy.filters.http.ext_authz"
BASE = {"cookies", "bearer", "envoy.filters.http.router"}
# (row, TLS in, TLS out, filters)
ROWS = (
    ("plain route", False, False, BASE),
    ("+ TLS 1.3", True, False, BASE),
    ("+ mutual TLS to the service", True, True, BASE),
    ("+ token (RS256)", True, True, BASE | {JWT}),
    ("+ claims (group and condition)", True, True, BASE | {JWT, RBAC}),
    ("+ limit of a user", True, True, BASE | {JWT, RBAC, "limit.route"}),
    ("+ contract (by the agent)", True, True, BASE | {JWT, RBAC, "limit.route", CONTRACT}),
    ("all, as derived", True, True, None),
)


def graph() -> Graph:
    app = App("estate", trust_domain="estate.example", images=IMAGES)
    document = Path(__file__).parents[1] / "tests" / "unit" / "edge-catalog.json"
    service = app.namespace("shop").service("catalog", image="x" + DIGEST, port=8080, openapi=document)
    users = app.users()
    rate = Rate.per_second(1_000_000, per="user")
    service.serves(
        "POST /items/search", at=app.host(API), to=users.group("customers"), where=claim("tenant") == "a", rate=rate
    )
    return app.graph()


def variant(edge: Edge, of: Graph, row: tuple[str, bool, bool, set[str] | None], plain: int) -> tuple[Path, int]:
    """The files of one row, and its port."""
    name, tls_in, tls_out, kept = row
    folder, port = edge.folder / name.replace("/", "-"), free_port()
    (folder / "run").mkdir(parents=True)
    own = {str(edge.port): str(port), str(edge.mesh): str(free_port()), str(edge.health): str(free_port())}
    own |= {str(edge.run): str(folder / "run"), f'"{edge.folder}/a"': f'"{folder}/a"'}

    def placed(text: str) -> str:
        text = edge.moved(text)
        for old, new in own.items():
            text = text.replace(old, new)
        return text

    for file, text in bootstrap.config(of, CLUSTER).items():
        (folder / file).write_text(placed(text).replace(f"{edge.folder}/envoy.json", str(folder / "envoy.json")))
    config = json.loads((folder / "envoy.json").read_text())
    public = config["static_resources"]["listeners"][0]
    public["filter_chains"] = [chain for chain in public["filter_chains"] if chain["name"] == API]
    (chain,) = public["filter_chains"]
    if not tls_in:
        del chain["transport_socket"], chain["transport_socket_connect_timeout"], chain["filter_chain_match"]
        del public["listener_filters"]
    manager = chain["filters"][0]["typed_config"]
    if kept is not None:
        manager["http_filters"] = [one for one in manager["http_filters"] if one["name"] in kept]
        del manager["access_log"]
    (folder / "envoy.json").write_text(json.dumps(config))
    for file, text in files.dynamic(of, CLUSTER).items():
        body = placed(text)
        if file == "cds.json" and not tls_out:
            clusters = json.loads(body)
            for one in clusters["resources"]:
                if one["name"] == "shop/catalog":
                    del one["transport_socket"]
                    end = one["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
                    end["address"]["socket_address"]["port_value"] = plain
            body = json.dumps(clusters)
        (folder / "run" / file).write_text(body)
    return folder, port


@contextmanager
def running(folder: Path, port: int) -> Iterator[int]:
    command = [str(binary("envoy")), "-c", str(folder / "envoy.json"), "--disable-hot-restart", "--concurrency", "1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--log-level", "error"], stdout=log, stderr=log)
    try:
        wait_for(port, process, folder / "log")
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


def cpu(process: int) -> float:
    """Seconds of all threads, with a resolution of nanoseconds."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    ticks = [(task / "stat").read_text().rpartition(")")[2].split()[11:13] for task in tasks]
    return sum(int(a) + int(b) for a, b in ticks) / 100


def load(edge: Edge, port: int, tls: bool, token: str, requests: int) -> float:
    """Seconds until all have been answered with 200."""
    head = f"POST /items/search HTTP/1.1\r\nhost: {API}\r\nauthorization: Bearer {token}\r\n"
    request = f"{head}content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n".encode() + BODY
    failed: list[bytes] = []

    def client() -> None:
        line: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.create_default_context(cafile=str(edge.folder / "id" / "edge" / "ca.pem"))
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            line = context.wrap_socket(line, server_hostname=API)
        with line:
            for _ in range(requests // CLIENTS):
                line.sendall(request)
                answer = line.recv(65536)
                while b"\r\n\r\n" not in answer or not answer.rstrip().endswith(b"}}"):
                    answer += line.recv(65536)
                if not answer.startswith(b"HTTP/1.1 200"):
                    failed.append(answer)
                    return

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise SystemExit(failed[0].decode())
    return time.perf_counter() - begun


def main() -> None:
    of = graph()
    with tempfile.TemporaryDirectory() as scratch:
        most = '"max_tokens":500,"tokens_per_fill":500'
        changes = {most: most.replace("500", "1000000")}
        with stand(Path(scratch), of, changes) as edge:
            handler = type("Plain", (Counter,), {"seen": edge.seen})
            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            token = edge.token(tenant="a")
            print("| chain | CPU us a request | more than the row before |\n|---|---:|---:|")
            before = 0.0
            for row in ROWS:
                folder, port = variant(edge, of, row, int(server.server_address[1]))
                with running(folder, port) as process:
                    load(edge, port, row[1], token, 200)
                    found = []
                    for _ in range(RUNS):
                        start = cpu(process)
                        load(edge, port, row[1], token, REQUESTS)
                        found.append((cpu(process) - start) / REQUESTS * 1e6)
                best = min(found)
                print(f"| {row[0]} | {best:.0f} | {best - before:+.0f} |", flush=True)
                before = best
            server.shutdown()


if __name__ == "__main__":
    main()
