"""One HTTP request, in clear or over TLS."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping
from typing import Any

from prober import tls
from prober.net import AttemptError, connect

BODY_LIMIT = 300  # enough to tell a proxy's own answer from the application's


def attempt(spec: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """Stage `http` with status and the start of the body, or a AttemptError at the stage before."""
    connection, peer = open_connection(spec, timeout)
    stage = "tls" if spec.get("tls") else "tcp"
    try:
        status, body = exchange(connection, spec, stage)
    finally:
        connection.close()
    return {"stage": "http", "status": status, "body": body[:BODY_LIMIT].decode(errors="replace"), "peer": peer}


def open_connection(spec: Mapping[str, Any], timeout: float) -> tuple[socket.socket, str]:
    """A connection ready for a request, and the identity of a verified server."""
    connection = connect(spec["host"], spec["port"], timeout)
    if not spec.get("tls"):
        return connection, ""
    try:
        return tls.wrap(connection, spec["tls"])
    except AttemptError:
        connection.close()
        raise


def exchange(connection: socket.socket, spec: Mapping[str, Any], stage: str) -> tuple[int, bytes]:
    """Send the request and read the answer. With TLS 1.3 a refused certificate shows here, not in the handshake."""
    client = http.client.HTTPConnection(spec["host"], spec["port"])
    client.sock = connection
    body = spec.get("body")
    headers = {"user-agent": "garrison-prober", "connection": "close", **spec.get("headers", {})}
    try:
        client.request(spec["method"], spec["path"], body=body, headers=headers)
        answer = client.getresponse()
        return answer.status, answer.read()
    except OSError as error:
        raise AttemptError(stage, tls.reason(error)) from error
    except http.client.HTTPException as error:
        raise AttemptError(stage, f"closed: {type(error).__name__}") from error
