"""Sidecars of any estate on one loopback, each with an application of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import mesh
from garrison.derive.names import full_host
from garrison.model.graph import Graph, Target
from garrison.prove.look import opening
from garrison.words import Ref
from harness.build import binary
from harness.ports import free_port
from servers.proxies import listening
from unit.authority import Authority

Address = tuple[str, int]


@dataclass
class Estate:
    """Where everything of these sidecars is."""

    graph: Graph
    folder: Path
    root: Authority = field(default_factory=Authority.fresh)
    inbound: dict[Ref, int] = field(default_factory=dict)
    health: dict[Ref, int] = field(default_factory=dict)
    outbound: dict[tuple[Ref, Target], int] = field(default_factory=dict)
    aliases: dict[Address, int] = field(default_factory=dict)
    processes: dict[Ref, int] = field(default_factory=dict)
    moved: Mapping[Ref, Ref | int] = field(default_factory=dict)

    def identity(self, ref: Ref) -> Path:
        folder = self.folder / "id" / f"{ref.namespace}-{ref.name}"
        if not folder.exists():
            self.root.issue(folder, uri=self.graph.spiffe_id(ref))
        return folder

    def log(self, ref: Ref) -> str:
        return (self.folder / ref.name / "log").read_text()


@contextmanager
def standing(
    graph: Graph,
    folder: Path,
    applications: Mapping[tuple[Ref, int], int],
    cut: tuple[str, Ref] | None = None,
    moved: Mapping[Ref, Ref | int] | None = None,
    root: Authority | None = None,
) -> Iterator[Estate]:
    """Every sidecar; `applications` has where the port of a service really is. `cut` opens one of them, and `moved` is
    where callers find a callee instead, or one that is elsewhere: at another service, or at a port. `root` is for
    several estates under one authority.
    """
    estate = Estate(graph, folder, root=root or Authority.fresh(), moved=moved or {})
    for service in graph.services:
        estate.inbound[service.ref], estate.health[service.ref] = free_port(), free_port()
    with ExitStack() as stack:
        for service in graph.services:
            stack.enter_context(
                _sidecar(estate, service.ref, applications, cut[0] if cut and cut[1] == service.ref else "")
            )
        yield estate


@contextmanager
def _sidecar(estate: Estate, ref: Ref, applications: Mapping[tuple[Ref, int], int], cut: str) -> Iterator[None]:
    graph, folder = estate.graph, estate.folder / ref.name
    folder.mkdir(parents=True)
    config = mesh.config(graph, Cluster(), graph.by_ref[ref])
    places: dict[Address, Address] = {("0.0.0.0", d.MTLS_PORT): ("127.0.0.1", estate.inbound[ref])}
    places["0.0.0.0", d.HEALTH_PORT] = ("127.0.0.1", estate.health[ref])
    places |= {("127.0.0.1", port): ("127.0.0.1", real) for (owner, port), real in applications.items() if owner == ref}
    found: dict[Ref, Ref | int] = {**estate.inbound, **estate.moved}
    there = {other: port if isinstance(port, int) else estate.inbound[port] for other, port in found.items()}
    places |= {(full_host(other), d.MTLS_PORT): ("localhost", port) for other, port in there.items()}
    for target, port in mesh.outbound_ports(graph, ref).items():
        estate.outbound[ref, target] = free_port()
        places["127.0.0.1", port] = ("127.0.0.1", estate.outbound[ref, target])
    identity = str(estate.identity(ref))
    for name, text in (opening.without(cut, config) if cut else config).items():
        moved = json.dumps(_moved(json.loads(text), places, estate.aliases))
        for place, real in ((d.IDENTITY_DIR, identity), (d.TRUST_DIR, identity), ("/etc/envoy", str(folder))):
            moved = moved.replace(place, real)
        (folder / name).write_text(moved)
    command = [binary("envoy"), "-c", folder / "envoy.json", "--disable-hot-restart", "--concurrency", "1"]
    with listening(command, folder / "log", estate.health[ref]) as estate.processes[ref]:
        yield


def _moved(node: Any, places: Mapping[Address, Address], aliases: dict[Address, int]) -> Any:
    if isinstance(node, list):
        return [_moved(one, places, aliases) for one in node]
    if not isinstance(node, dict):
        return node
    if "port_value" in node:
        there = node["address"], node["port_value"]
        if there[0].startswith("127.0.1."):
            aliases[there] = aliases.get(there) or free_port()
            return {"address": there[0], "port_value": aliases[there]}
        host, port = places.get(there, there)
        return {"address": host, "port_value": port}
    return {key: _moved(value, places, aliases) for key, value in node.items()}
