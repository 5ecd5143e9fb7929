"""What a hop costs over HTTP, gRPC and TCP beside the same without it: CPU microseconds, times at 200 a second, rate.

    PYTHONPATH=components:policies:services:tests python benchmarks/hop.py

One run on loopback with real Envoys as derived, one worker each: the caller's sidecar, mutual TLS, the callee's. First
before an application that gives a fixed answer (an Envoy), where all that is seen is the hop; then before the example's
own services, with their own calls. Everything is up all the time, and the rows take turns: without the hop, with it,
five times. Of each figure the best turn counts, as others work on the machine; CPU time is what is stable there.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cart.resp import Redis
from cart.store import Store
from common.cart_pb2 import GetRequest
from garrison import App
from garrison.model.graph import Graph, Target
from garrison.words import Ref
from harness import paths
from harness.loadtools import cpu, h2load
from harness.ports import free_port
from servers.backends import answering
from servers.mesh_bench import Estate, standing
from servers.proxies import listening
from servers.services.test_cart import Server
from unit.estates import DIGEST, IMAGES

TURNS = 5
RATE, CLIENTS, STEADY = 200, 4, 600
"""Requests a second over so many connections that stay open, and how many."""
FULL_CLIENTS = 16
"""Connections that each ask again as soon as they are answered."""
FRONT, COVER, CART, REDIS = (Ref("shop", name) for name in ("front", "cover", "cart", "redis"))
FIXED = {protocol: Ref("shop", f"fixed-{protocol}") for protocol in ("http", "grpc", "tcp")}
GRPC = ("--header=content-type: application/grpc", "--header=te: trailers")


@dataclass(frozen=True)
class Row:
    """A call, and where it is made without the hop and with it; the proxies of the hop, in its order."""

    name: str
    path: str
    flags: tuple[str, ...]
    requests: int
    plain: int
    hop: int
    proxies: tuple[int, int]


@dataclass(frozen=True)
class Turn:
    """Microseconds of CPU of the caller's proxy and the callee's for a request; until half and 99 % are
    answered, at 200 a second; the rate.
    """

    proxies: tuple[float, ...]
    median: float
    late: float
    rate: float


def graph() -> Graph:
    app = App("estate", trust_domain="estate.example", images=IMAGES)
    shop = app.namespace("shop")
    front = shop.service("front", image="x" + DIGEST, health=None)
    for protocol in ("http", "tcp"):
        callee = shop.service(f"fixed-{protocol}", image="x" + DIGEST, port=8080, protocol=protocol, health="tcp")
        front.connects(callee) if protocol == "tcp" else front.calls(callee, "GET /items/{id}")
    fixed = shop.service("fixed-grpc", image="x" + DIGEST, port=8080, protocol="grpc", health="tcp")
    cover = shop.service("cover", image="x" + DIGEST, port=8080)
    cart = shop.service("cart", image="x" + DIGEST, port=7070, protocol="grpc")
    redis = shop.service("redis", image="x" + DIGEST, port=6379, protocol="tcp")
    front.calls(fixed, "shop.Cart/Get")
    front.calls(cover, "GET /covers/{id}")
    front.calls(cart, "shop.Cart/Get")
    cart.connects(redis)
    return app.graph()


def turn(row: Row, port: int, proxies: tuple[int, ...]) -> Turn:
    """At a steady rate for the times, then as fast as it goes for rate and CPU."""
    given = ["--plain", *row.flags]
    many = [*given, f"--rps={RATE // CLIENTS}"]
    steady = h2load("callee", port, row.path, requests=STEADY, clients=CLIENTS, streams=1, flags=many)
    before = [cpu(process) for process in proxies]
    full = h2load("callee", port, row.path, requests=row.requests, clients=FULL_CLIENTS, streams=1, flags=given)
    spent = tuple((cpu(one) - was) / row.requests for one, was in zip(proxies, before, strict=True))
    if steady.failed or full.failed:
        raise SystemExit(f"{row.name}: {steady.failed + full.failed} failed: {steady.said}; {full.said}")
    return Turn(spent, steady.time(0.5), steady.time(0.99), row.requests / full.seconds)


def best(turns: list[Turn]) -> Turn:
    """Of each figure the best turn's."""
    proxies = tuple(min(each) for each in zip(*(one.proxies for one in turns), strict=True))
    times = (min(one.median for one in turns), min(one.late for one in turns))
    return Turn(proxies, *times, max(one.rate for one in turns))


def measured(rows: list[Row]) -> dict[Row, tuple[Turn, Turn]]:
    found: dict[Row, tuple[list[Turn], list[Turn]]] = {row: ([], []) for row in rows}
    for number in range(TURNS):
        for row, (plain, hop) in found.items():
            print(f"turn {number + 1} of {TURNS}: {row.name}", file=sys.stderr)
            plain.append(turn(row, row.plain, ()))
            hop.append(turn(row, row.hop, row.proxies))
    return {row: (best(plain), best(hop)) for row, (plain, hop) in found.items()}


def table(found: dict[Row, tuple[Turn, Turn]]) -> Iterator[str]:
    yield "| call | proxies' CPU us | p50 ms, with hop | p99 ms, with hop | more | requests/s, with hop | less |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for row, (plain, hop) in found.items():
        out, into = hop.proxies
        halves = f"{plain.median / 1e3:.2f}, {hop.median / 1e3:.2f}"
        late = f"{plain.late / 1e3:.2f}, {hop.late / 1e3:.2f} | {(hop.late - plain.late) / 1e3:+.2f}"
        rates = f"{plain.rate:,.0f}, {hop.rate:,.0f} | {1 - hop.rate / plain.rate:.0%}"
        yield f"| {row.name} | {out:.0f}, {into:.0f} | {halves} | {late} | {rates} |"


# --- what is asked ---------------------------------------------------------------------------------------------------


@contextmanager
def service(name: str, folder: Path, port: int, **env: str) -> Iterator[int]:
    """One of the example's own, as its image starts it."""
    given = {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.REPO / "services"), "PORT": str(port), **env}
    command = ["/usr/bin/env", "-i", *(f"{key}={value}" for key, value in given.items()), sys.executable, "-m", name]
    with listening(command, folder / f"{name}-{port}.log", port) as process:
        yield process


@contextmanager
def standing_rows(folder: Path) -> Iterator[list[Row]]:
    """Everything that is measured, and what is behind it."""
    message = GetRequest(cart="of-a-user").SerializeToString()
    body = folder / "message"
    body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    asked = (*GRPC, f"--data={body}")
    ports = {name: free_port() for name in ("cover", "cart", "cart of the hop")}
    with ExitStack() as stack:
        fixed = stack.enter_context(answering(folder / "answer", {}, ["app"]))["app"]
        redis = stack.enter_context(kept(folder))
        applications = {(ref, 8080): fixed for ref in FIXED.values()}
        applications |= {(COVER, 8080): ports["cover"], (CART, 7070): ports["cart"], (REDIS, 6379): redis}
        estate = stack.enter_context(standing(graph(), folder / "mesh", applications))
        stack.enter_context(service("cover", folder, ports["cover"]))
        through = estate.outbound[CART, Target(REDIS)]
        for name, at in (("cart", redis), ("cart of the hop", through)):
            url = f"redis://127.0.0.1:{at}"
            stack.enter_context(service("cart", folder, ports[name], REDIS_URL=url))
        yield rows(estate, fixed, ports, asked)


def rows(estate: Estate, fixed: int, ports: dict[str, int], asked: tuple[str, ...]) -> list[Row]:
    def way(callee: Ref, caller: Ref = FRONT) -> tuple[int, tuple[int, int]]:
        proxies = estate.processes[caller], estate.processes[callee]
        return estate.outbound[caller, Target(callee)], proxies

    get, item = "/shop.Cart/Get", "/items/hammer"
    return [
        Row("HTTP, a fixed answer", item, ("--h1",), 4_000, fixed, *way(FIXED["http"])),
        Row("gRPC, a fixed answer", get, asked, 4_000, fixed, *way(FIXED["grpc"])),
        Row("TCP, a fixed answer", item, ("--h1",), 4_000, fixed, *way(FIXED["tcp"])),
        Row("HTTP, cover `GET /covers/{id}`", "/covers/cover-1", ("--h1",), 1_500, ports["cover"], *way(COVER)),
        Row("gRPC, cart `shop.Cart/Get`", get, asked, 1_500, ports["cart"], *way(CART)),
        Row(
            "TCP, the same, from cart to redis",
            get,
            asked,
            1_500,
            ports["cart"],
            ports["cart of the hop"],
            way(REDIS, CART)[1],
        ),
    ]


@contextmanager
def kept(folder: Path) -> Iterator[int]:
    """The estate's Redis, with a cart in it."""
    (folder / "redis").mkdir()
    server = Server(folder / "redis", free_port())
    server.start()
    try:
        store = Store(Redis("127.0.0.1", server.port), days=1)
        store.add("of-a-user", "nails", 2)
        store.close()
        yield server.port
    finally:
        server.kill()


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        started = os.getloadavg()[0]
        with standing_rows(Path(scratch)) as made:
            found = measured(made)
    print(f"{os.cpu_count()} processors, load {started:.1f} before, {os.getloadavg()[0]:.1f} after")
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
