"""What a request costs at the edge and at the hop behind it: CPU microseconds of each process, rate and times.

    PYTHONPATH=components:policies:tests python benchmarks/edge.py

One run on loopback: the derived configuration with parts left out, so that each row adds one to the row before. The
same POST with 130 bytes of JSON, a fixed number of them, from h2load over 32 connections that stay open; the service is
an Envoy that gives a fixed answer. CPU time is Envoy's own, of all its threads, from the kernel's scheduler; clients,
service and agent are other processes, and the agent's time has a column. Every row's Envoy is up all the time and the
rows take turns, three times; what counts is the cheapest turn. CPU time is what is stable on a busy machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrison import App, Rate, claim
from garrison import defaults as d
from garrison.derive.edge import bootstrap, files
from garrison.model.graph import Graph
from harness.build import binary
from harness.loadtools import Seconds, cpu, h2load, wrk
from harness.ports import free_port
from servers.backends import answering
from servers.edges import CLUSTER, Edge, stand
from servers.minting import Key, claims, key_sets
from servers.proxies import in_front_of, start_envoy, wait_for
from unit.authority import Authority
from unit.edges import API
from unit.estates import DIGEST, IMAGES

Json = dict[str, Any]
REQUESTS, CLIENTS, TURNS = 4_000, 32, 3
HOP_SECONDS = 3
TEXT = "x" * 118
ISSUER = "https://login.estate.example/v1/identity/oidc"
JWT, RBAC, LIMIT, CONTRACT = f"jwt.{API}", "envoy.filters.http.rbac", "limit.route", "envoy.filters.http.ext_authz"
BASE = frozenset({"envoy.filters.http.router"})


@dataclass(frozen=True)
class Row:
    """A chain: TLS on both sides, filters (all where None), the access log, a condition of the route."""

    name: str
    filters: frozenset[str] | None = BASE
    tls_in: bool = True
    tls_out: bool = True
    log: bool = False
    where: bool = False
    bare: bool = False


ROWS = (
    Row("an Envoy with one route and nothing derived", tls_in=False, tls_out=False, bare=True),
    Row("plain route: the derived connection manager", tls_in=False, tls_out=False),
    Row("+ TLS 1.3", tls_out=False),
    Row("+ mutual TLS to the service"),
    Row("+ token (RS256)", BASE | {JWT}),
    Row("+ group", BASE | {JWT, RBAC}),
    Row("+ condition (CEL)", BASE | {JWT, RBAC}, where=True),
    Row("+ limit of a user", BASE | {JWT, RBAC, LIMIT}, where=True),
    Row("+ access log", BASE | {JWT, RBAC, LIMIT}, log=True, where=True),
    Row("+ contract (by the agent)", BASE | {JWT, RBAC, LIMIT, CONTRACT}, log=True, where=True),
    Row("all, as derived", None, log=True, where=True),
)


def graph(*, where: bool) -> Graph:
    app = App("estate", trust_domain="estate.example", images=IMAGES)
    document = Path(__file__).parents[1] / "tests" / "unit" / "edge-catalog.json"
    service = app.namespace("shop").service("catalog", image="x" + DIGEST, port=8080, openapi=document)
    users = app.users()
    rule = claim("tenant") == "a" if where else None
    rate = Rate.per_second(1_000_000, per="user")
    service.serves("POST /items/search", at=app.host(API), to=users.group("customers"), where=rule, rate=rate)
    return app.graph()


def variant(edge: Edge, row: Row, number: int, plain: int) -> tuple[Path, int]:
    """The files of one row, and its port."""
    of = graph(where=row.where)
    folder, port = edge.folder / f"row-{number}", free_port()
    (folder / "run").mkdir(parents=True)
    own = {str(edge.port): str(port), str(edge.mesh): str(free_port()), str(edge.health): str(free_port())}
    own |= {str(edge.run): str(folder / "run"), f'"{edge.folder}/a"': f'"{folder}/a"'}

    def placed(text: str) -> str:
        text = edge.moved(text)
        for old, new in own.items():
            text = text.replace(old, new)
        return text

    for file, text in bootstrap.config(of, CLUSTER).items():
        (folder / file).write_text(placed(text))
    (folder / "envoy.json").write_text(json.dumps(cut(json.loads((folder / "envoy.json").read_text()), row)))
    for file, text in files.dynamic(of, CLUSTER).items():
        body = placed(text)
        (folder / "run" / file).write_text(body if row.tls_out or file != "cds.json" else in_clear(body, plain))
    return folder, port


def cut(config: Json, row: Row) -> Json:
    """The bootstrap with only what the row has."""
    public = config["static_resources"]["listeners"][0]
    (chain,) = public["filter_chains"] = [chain for chain in public["filter_chains"] if chain["name"] == API]
    if not row.tls_in:
        del chain["transport_socket"], chain["transport_socket_connect_timeout"], chain["filter_chain_match"]
        del public["listener_filters"]
    manager = chain["filters"][0]["typed_config"]
    if row.filters is not None:
        manager["http_filters"] = [one for one in manager["http_filters"] if one["name"] in row.filters]
    if not row.log:
        del manager["access_log"]
    if row.bare:
        kept = ("@type", "stat_prefix", "rds", "http_filters")
        chain["filters"][0]["typed_config"] = {name: manager[name] for name in kept}
    return config


def in_clear(text: str, port: int) -> str:
    """The clusters with the service at this port, without TLS."""
    clusters = json.loads(text)
    (service,) = (one for one in clusters["resources"] if one["name"] == "shop/catalog")
    del service["transport_socket"]
    (end,) = service["load_assignment"]["endpoints"][0]["lb_endpoints"]
    end["endpoint"]["address"]["socket_address"]["port_value"] = port
    return json.dumps(clusters)


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


@dataclass(frozen=True)
class Turn:
    """Of one request, microseconds: of the proxy, of the agent, until half and 99 % were answered; and the rate."""

    proxy: float
    agent: float
    median: float
    late: float
    rate: float


def turn(process: int, agent: int, port: int, row: Row, flags: list[str], requests: int = REQUESTS) -> Turn:
    before = cpu(process), cpu(agent)
    given = [*flags, *([] if row.tls_in else ["--plain"])]
    load = h2load(API, port, "/items/search", requests=requests, clients=CLIENTS, streams=1, flags=given)
    if load.failed:
        raise SystemExit(f"{row.name}: {load.failed} of {requests} failed")
    spent = (cpu(process) - before[0]) / requests, (cpu(agent) - before[1]) / requests
    return Turn(*spent, load.time(0.5), load.time(0.99), requests / load.seconds)


def at_the_edge(folder: Path) -> None:
    most = '"max_tokens":500,"tokens_per_fill":500'
    ports: dict[str, int] = {}

    @contextmanager
    def services(identities: Mapping[str, Path]) -> Iterator[dict[str, int]]:
        with answering(folder / "answer", identities, ["plain"]) as made:
            ports.update(made)
            yield made

    changes = {most: most.replace("500", "1000000")}
    with stand(folder, graph(where=True), changes, services=services) as edge, ExitStack() as stack:
        assert edge.judge is not None
        body = folder / "body.json"
        body.write_text(json.dumps({"text": TEXT}))
        bearer = f"authorization: Bearer {edge.token(tenant='a', exp=2**31)}"
        flags = ["--h1", f"--data={body}", f"--header={bearer}", "--header=content-type: application/json"]
        places = [variant(edge, row, number, ports["plain"]) for number, row in enumerate(ROWS)]
        processes = [stack.enter_context(running(*place)) for place in places]
        found: dict[Row, list[Turn]] = {row: [] for row in ROWS}
        for number in range(TURNS + 1):
            for row, process, (_, port) in zip(ROWS, processes, places, strict=True):
                made = turn(process, edge.judge.pid, port, row, flags, REQUESTS if number else 500)
                found[row] += [made] if number else []  # the first one warms
    print(
        "| chain | CPU us | more | agent's CPU us | requests/s | p50 ms | p99 ms |\n|---|---:|---:|---:|---:|---:|---:|"
    )
    before = None
    for row, turns in found.items():
        best = min(turns, key=lambda one: one.proxy)
        more = "" if before is None else f"{best.proxy - before:+.1f}"
        agent = f"{min(one.agent for one in turns):.0f}" if row.filters is None or CONTRACT in row.filters else ""
        times = f"{best.median / 1e3:.1f} | {best.late / 1e3:.1f}"
        print(f"| {row.name} | {best.proxy:.1f} | {more} | {agent} | {best.rate:,.0f} | {times} |")
        before = best.proxy


# --- the hop behind it -----------------------------------------------------------------------------------------------


def estate(*, forward: bool) -> Graph:
    app = App("estate", trust_domain="estate.example", images=IMAGES)
    shop = app.namespace("shop")
    orders, catalog = (shop.service(name, image="x" + DIGEST, port=8080) for name in ("orders", "catalog"))
    if forward:
        orders.serves("GET /orders", at=app.host(API), to=app.users().anyone())
        orders.calls(catalog, "POST /charges", token="forward")
    else:
        orders.calls(catalog, "POST /charges")
    return app.graph()


def behind(folder: Path) -> None:
    key, found = Key("k-1"), dict[str, list[tuple[float, float, Seconds]]]()
    with answering(folder / "answer", {}, ["app"]) as ports, ExitStack() as stack:
        made = {
            name: stack.enter_context(hop(folder / name.replace(" ", "-"), estate(forward=forward), ports["app"], key))
            for name, forward in (("without a token", False), ("with the user's token", True))
        }
        token = f"Authorization: Bearer {key.sign(claims(ISSUER, 'estate', exp=2**31))}"
        for number in range(TURNS + 1):
            for name, (port, caller, callee) in made.items():
                before = cpu(caller), cpu(callee)
                load = wrk(port, "/charges", seconds=HOP_SECONDS if number else 1, method="POST", headers=[token])
                if load.failed:
                    raise SystemExit(f"{name}: {load.failed} of {load.passed + load.failed} failed")
                spent = (cpu(caller) - before[0]) / load.passed, (cpu(callee) - before[1]) / load.passed
                found.setdefault(name, []).extend([(*spent, load)] if number else [])
    print("\n| the hop behind it | caller's sidecar, CPU us | callee's, CPU us | requests/s | p50 ms | p99 ms |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, turns in found.items():
        out, into, load = min(turns, key=lambda one: one[1])
        times = f"{load.passed / load.seconds:,.0f} | {load.median / 1e3:.1f} | {load.late / 1e3:.1f}"
        print(f"| {name} | {out:.1f} | {into:.1f} | {times} |")


@contextmanager
def hop(folder: Path, of: Graph, application: int, key: Key) -> Iterator[tuple[int, int, int]]:
    """Two sidecars: the caller's port for its application, and both processes."""
    root, inbound, outbound = Authority.fresh(), free_port(), free_port()
    for name, ref in {"edge": d.EDGE, **{one.name: one.ref for one in of.services}}.items():
        root.issue(folder / "id" / name, uri=of.spiffe_id(ref), dns="localhost")
    with key_sets(folder / "id" / "edge") as keys:
        keys.sets = {"users": [key]}
        callee = {
            '"edge.edge.svc.cluster.local","port_value":8443': f'"localhost","port_value":{keys.port}',
            "8443": str(inbound),
            "15021": str(free_port()),
            '"port_value":8080': f'"port_value":{application}',
            "0.0.0.0": "127.0.0.1",
            **{place: str(folder / "id" / "catalog") for place in ("/run/identity", "/run/trust")},
        }
        both = {
            "catalog": callee,
            "orders": in_front_of("orders", folder, outbound, inbound) | {"15101": str(outbound)},
        }
        processes = {name: start_envoy(of, name, folder / name, places) for name, places in both.items()}
        try:
            wait_for(inbound, processes["catalog"], folder / "catalog" / "log")
            wait_for(outbound, processes["orders"], folder / "orders" / "log")
            yield outbound, processes["orders"].pid, processes["catalog"].pid
        finally:
            for process in processes.values():
                process.terminate()
                process.wait(10)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before")
        at_the_edge(Path(scratch, "edge"))
        behind(Path(scratch, "hop"))
        print(f"load {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    main()
