"""What the edge holds requests against: the contract of every route whose service has an OpenAPI document.

One file, compiled from the documents: at which host which operation, its parameters, and the JSON schemas of both
parameters and body, each standing alone. The agent beside the edge's proxy enforces it (docs/contract.md).
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from garrison.manifest import compact
from garrison.model.graph import Graph, Route

Json = dict[str, Any]
SCHEMA: Final = "garrison.dev/contracts/v1"
FILE: Final = "contracts.json"
FOLDER: Final = "/etc/edge-contracts"
"""Where the agent finds the ConfigMap."""


def has(graph: Graph, route: Route) -> bool:
    """Whether requests of a route are held against a contract."""
    return bool(graph.by_ref[route.service].openapi)


def data(graph: Graph) -> dict[str, str]:
    """The data of ConfigMap `edge/edge-contracts`; a graph without contracts has a file without hosts."""
    return {FILE: compact(compiled(graph))}


def digest(graph: Graph) -> str:
    """Names one state of that file (SHA-256): the agent changes routes and contracts together by it."""
    return hashlib.sha256(data(graph)[FILE].encode()).hexdigest()


def compiled(graph: Graph) -> Json:
    """Every operation once, and the hosts that serve it."""
    operations: dict[tuple[str, str, str], Json] = {}
    hosts: dict[str, list[int]] = {}
    for route in graph.routes:
        if has(graph, route):
            method, path = route.operation.method, route.operation.path
            key = str(route.service), method, path
            if key not in operations:
                made = graph.by_ref[route.service].contract.request(method, path)
                operations[key] = {"service": key[0], **made}
            hosts.setdefault(route.host, []).append(list(operations).index(key))
    return {"schema": SCHEMA, "hosts": hosts, "operations": list(operations.values())}
