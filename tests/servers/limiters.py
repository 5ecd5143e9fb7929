"""A real limiter on loopback: the derived sidecar, ratelimit and Redis, as they are in one pod."""

from __future__ import annotations

import http.client
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from garrison import defaults as d
from garrison.derive.edge import counting, limiter
from garrison.model.graph import Graph
from harness import assembly, rootfs
from harness.build import binary
from harness.ports import free_port
from servers.proxies import eventually, wait_for
from unit.authority import Authority


@dataclass
class Limiter:
    folder: Path
    port: int
    health: int
    ports: dict[str, int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """One of its three programs."""
        command, environment = _commands(self)[name]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, env=environment, cwd="/", stdout=log, stderr=log)

    def stop(self, name: str) -> None:
        self.processes[name].terminate()
        self.processes.pop(name).wait(10)

    def healthy(self) -> bool:
        """As the kubelet asks."""
        line = http.client.HTTPConnection("127.0.0.1", self.health, timeout=5)
        try:
            line.request("GET", "/healthz")
            return line.getresponse().status == 200
        except OSError:
            return False
        finally:
            line.close()

    def mount(self, graph: Graph) -> None:
        """What the kubelet mounts, exchanged as a whole."""
        mounted = self.folder / "mount"
        made = mounted / f"..{len(list(mounted.glob('*')))}" / limiter.FOLDER
        made.mkdir(parents=True)
        (made / limiter.FILE).write_text(counting.known(graph))
        (mounted / "..new").symlink_to(made.parent.name)
        (mounted / "..new").rename(mounted / "..data")


@contextmanager
def stand(folder: Path, graph: Graph, root: Authority) -> Iterator[Limiter]:
    """The limiter of an estate; its edge is whoever the same authority calls so."""
    root.issue(folder / "id", uri=graph.spiffe_id(d.LIMITS))
    (folder / "proxy").mkdir()
    (folder / "mount").mkdir()
    made = Limiter(folder, free_port(), free_port(), {name: free_port() for name in d.LIMITS_PORTS})
    moved = {
        **{f'"port_value":{port}': f'"port_value":{made.ports[name]}' for name, port in d.LIMITS_PORTS.items()},
        f'"port_value":{d.MTLS_PORT}': f'"port_value":{made.port}',
        "0.0.0.0": "127.0.0.1",
        f'"port_value":{d.HEALTH_PORT}': f'"port_value":{made.health}',
        "/etc/envoy": str(folder / "proxy"),
        **{place: str(folder / "id") for place in (d.IDENTITY_DIR, d.TRUST_DIR)},
    }
    for name, text in limiter.proxy(graph).items():
        for old, new in moved.items():
            text = text.replace(old, new)
        (folder / "proxy" / name).write_text(text)
    made.mount(graph)
    try:
        for name in ("redis", "proxy", "ratelimit"):
            made.start(name)
            port = {"proxy": made.port, "redis": made.ports["redis"], "ratelimit": made.ports["grpc"]}[name]
            wait_for(port, made.processes[name], folder / f"{name}.log")
        eventually(made.healthy, "the limiter is healthy")
        yield made
    finally:
        for name in [*made.processes]:
            made.stop(name)


def _commands(one: Limiter) -> dict[str, tuple[list[str], dict[str, str]]]:
    """As the containers start them, with other ports; Redis with the libraries of its own image alone."""
    base = assembly.base("redis").root
    loader = [*rootfs.loader(base), str(base / "usr/local/bin/redis-server")]
    said = [str(one.ports["redis"]) if word == str(d.LIMITS_PORTS["redis"]) else word for word in redis()]
    environment = limiter.environment()
    for name, port in d.LIMITS_PORTS.items():
        environment = {key: value.replace(str(port), str(one.ports[name])) for key, value in environment.items()}
    environment["RUNTIME_ROOT"] = environment["RUNTIME_ROOT"].replace(d.LIMITS_DIR, str(one.folder / "mount"))
    options = ["-c", str(one.folder / "proxy" / "envoy.json"), "--disable-hot-restart", "--concurrency", "1"]
    return {
        "redis": ([*loader, *said], {}),
        "ratelimit": ([str(binary("ratelimit"))], environment),
        "proxy": ([str(binary("envoy")), *options], dict(os.environ)),
    }


def redis() -> list[str]:
    return limiter.redis_arguments()
