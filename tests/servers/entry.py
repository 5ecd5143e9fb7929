"""An edge in little, on loopback: a real Envoy with the contract filter, the agent as a process, a service behind."""

from __future__ import annotations

import hashlib
import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from garrison import App
from garrison.derive import contract_filter, contracts
from garrison.derive.mesh import envoy
from garrison.model.contracts import Contract
from garrison.model.graph import Graph
from harness.build import binary
from harness.ports import free_port
from servers.proxies import eventually, status_at, wait_for
from unit.estates import DIGEST, empty_app

DOCUMENTS = Path(__file__).parents[2] / "docs" / "openapi"
HOST = "api.estate.example"
CLUSTER = "shop/service"
Json = dict[str, Any]
ROUTES = "config.route.v3.RouteConfiguration"


def estate(*names: str) -> Graph:
    """Every operation of these services' documents, but for the health, served to everybody at one host."""
    app = App("estate", trust_domain="estate.example", images=dict(empty_app().images))
    shop, host = app.namespace("shop"), app.host(HOST)
    for name in names:
        file = DOCUMENTS / f"{name}.json"
        service = shop.service(name, image=f"registry.example/{name}{DIGEST}", port=8080, openapi=file)
        for method, path in Contract.parse(file.read_text()).operations:
            if path != "/healthz":
                service.serves(f"{method} {path}", at=host, public="a test")
    return app.graph()


@dataclass
class Entry:
    folder: Path
    upstream: int
    port: int = field(default_factory=free_port)
    judging: int = field(default_factory=free_port)
    health: int = field(default_factory=free_port)
    filters: tuple[Json, ...] = (contract_filter.http_filter(),)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def folder_of(self, name: str) -> Path:
        made = self.folder / name
        made.mkdir(exist_ok=True)
        return made

    def mount(self, files: Mapping[str, str], compiled: str, only: str = "") -> None:
        """Exchange the mounts as the kubelet does: a new folder, and one link renamed."""
        said = {"contracts.sha256": named(compiled)}
        for name, texts in (("contracts", {contracts.FILE: compiled}), ("etc", dict(files) | said)):
            if only not in ("", name):
                continue
            folder = self.folder_of(name)
            made = folder / f"..{len(list(folder.iterdir()))}"
            made.mkdir()
            for file, text in texts.items():
                (made / file).write_text(text)
                if not (folder / file).is_symlink():
                    (folder / file).symlink_to(Path("..data", file))
            (folder / "..new").symlink_to(made.name)
            (folder / "..new").rename(folder / "..data")

    def start_agent(self) -> subprocess.Popen[bytes]:
        places = {
            "dynamic": self.folder_of("etc"),
            "contracts": self.folder_of("contracts") / contracts.FILE,
            "run": self.folder_of("run"),
            "admin": self.folder / "admin.sock",
            "port": self.judging,
            "health": self.health,
            "introspection": self.folder / "issuer.json",
            "health_address": "127.0.0.1",
        }
        flags = [f"--{name}={value}" for name, value in places.items()]
        made = self._start("agent", [sys.executable, "-m", "garrison_edge", *flags])
        eventually(lambda: self.says("/copied") == 200, f"the agent has copied: {self.log('agent')}")
        return made

    def start_envoy(self) -> subprocess.Popen[bytes]:
        text = json.dumps(self.bootstrap()).replace(str(contract_filter.PORT), str(self.judging))
        (self.folder / "envoy.json").write_text(text)
        command: list[str | Path] = [
            binary("envoy"),
            "-c",
            self.folder / "envoy.json",
            "--disable-hot-restart",
            "--concurrency",
            "1",
        ]
        command += ["--reject-unknown-dynamic-fields"]
        made = self._start("envoy", command)
        wait_for(self.port, made, self.folder / "envoy.log")
        eventually(lambda: self.says("/ready") == 200, f"the proxy has taken all: {self.log('agent')}")
        return made

    def _start(self, name: str, command: Sequence[str | Path]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            made = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log)
        self.processes.append(made)
        return made

    def bootstrap(self) -> Json:
        watched = {"path": str(self.folder_of("run"))}

        def source(name: str) -> Json:
            file = {"path": str(self.folder / "run" / name), "watched_directory": watched}
            return {"path_config_source": file, "resource_api_version": "V3"}

        manager = envoy.connection_manager("edge", [], durations={}, filters=self.filters)
        del manager["route_config"]
        manager |= {"codec_type": "AUTO", "rds": {"route_config_name": "edge", "config_source": source("rds.json")}}
        address = {"pipe": {"path": str(self.folder / "admin.sock"), "mode": 0o600}}
        return {
            "node": {"id": "edge", "cluster": "edge"},
            "admin": {"address": address, "allow_paths": [{"prefix": "/stats?"}]},
            "dynamic_resources": {"cds_config": source("cds.json")},
            "static_resources": {
                "listeners": [envoy.listener("edge", envoy.address("127.0.0.1", self.port), manager)],
                "clusters": [contract_filter.cluster()],
            },
        }

    def files(self, cluster: str = CLUSTER, prefix: str = "/", **more: Any) -> dict[str, str]:
        """Routes of everything under `prefix` to `cluster`, which is the service."""
        made = envoy.cluster(cluster, "127.0.0.1", self.upstream, dns=False, durations={})
        made = envoy.typed("config.cluster.v3.Cluster", **made)
        host = {"name": "api", "domains": [HOST], "routes": [envoy.forward(cluster, match={"prefix": prefix})]}
        routes = envoy.typed(ROUTES, name="edge", virtual_hosts=[host], **more)
        return {"cds.json": json.dumps({"resources": [made]}), "rds.json": json.dumps({"resources": [routes]})}

    def says(self, path: str) -> int:
        return status_at(self.health, path)

    def ask(self, method: str, path: str, body: bytes = b"", /, **headers: str) -> tuple[int, Json]:
        """What the edge answers; names of headers with `_` for `-`."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            said = {"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
            line.request(method, path, body or None, said)
            answer = line.getresponse()
            text = answer.read()
            try:
                return answer.status, json.loads(text)
            except ValueError:
                return answer.status, {"text": text.decode("latin-1")}
        finally:
            line.close()

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text()[-4000:] if path.exists() else ""

    def lines(self, event: str) -> list[Json]:
        rows = [json.loads(line) for line in (self.folder / "agent.log").read_text().splitlines() if line[0] == "{"]
        return [row for row in rows if row["event"] == event]


def named(compiled: str) -> str:

    return hashlib.sha256(compiled.encode()).hexdigest()


@contextmanager
def entry(folder: Path, graph: Graph, upstream: int, **more: Any) -> Iterator[Entry]:
    made = Entry(folder, upstream, **more)
    try:
        made.mount(made.files(), contracts.data(graph)[contracts.FILE])
        made.start_agent()
        made.start_envoy()
        yield made
    finally:
        for process in reversed(made.processes):
            process.terminate()
            process.wait(10)
