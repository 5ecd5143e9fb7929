"""Services that answer as fast as they are asked: an Envoy of its own that gives a fixed answer, and counts nothing.

For load, where a service in Python would be what is measured.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from garrison.derive.mesh import envoy
from harness.build import binary
from harness.ports import free_port
from servers.proxies import wait_for

Json = dict[str, Any]
ANSWER = json.dumps({"items": ["x" * 100]})
MANY = 1_000_000  # requests over one connection


@contextmanager
def answering(folder: Path, identities: Mapping[str, Path], clear: Sequence[str] = ()) -> Iterator[dict[str, int]]:
    """One listener for each name, over mutual TLS as that identity, or in clear; yields the ports."""
    ports = {name: free_port() for name in (*identities, *clear)}
    folder.mkdir(parents=True)
    listeners = [_listener(name, port, identities.get(name)) for name, port in ports.items()]
    (folder / "envoy.json").write_text(json.dumps({"static_resources": {"listeners": listeners}}))
    command = [str(binary("envoy")), "-c", str(folder / "envoy.json"), "--disable-hot-restart", "--concurrency", "1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--log-level", "error"], stdout=log, stderr=log)
    try:
        for port in ports.values():
            wait_for(port, process, folder / "log")
        yield ports
    finally:
        process.terminate()
        process.wait(10)


def _listener(name: str, port: int, identity: Path | None) -> Json:
    answer = {"status": 200, "body": {"inline_string": ANSWER}}
    host = {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "direct_response": answer}]}
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": envoy.typed("extensions.filters.http.router.v3.Router"),
    }
    # an answer before the end of a body ends the connection, and what is measured would be handshakes
    buffer = envoy.typed("extensions.filters.http.buffer.v3.Buffer", max_request_bytes=2**20)
    whole = {"name": "envoy.filters.http.buffer", "typed_config": buffer}
    manager = envoy.typed(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix="answer",
        http_filters=[whole, router],
        route_config={"virtual_hosts": [host]},
        common_http_protocol_options={"max_requests_per_connection": MANY},
    )
    chain: Json = {"filters": [{"name": "http", "typed_config": manager}]}
    if identity:
        chain["transport_socket"] = _tls(identity)
    return {"name": name, "address": envoy.address("127.0.0.1", port), "filter_chains": [chain]}


def _tls(identity: Path) -> Json:
    files = {
        "certificate_chain": {"filename": str(identity / "tls.crt")},
        "private_key": {"filename": str(identity / "tls.key")},
    }
    context = {
        "tls_certificates": [files],
        "validation_context": {"trusted_ca": {"filename": str(identity / "ca.pem")}},
        "alpn_protocols": ["h2", "http/1.1"],
    }
    return envoy.transport_socket("DownstreamTlsContext", require_client_certificate=True, common_tls_context=context)
