"""One HTTP request, in clear or over TLS."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from prober import tls
from prober.net import AttemptError, connect

BODY_LIMIT = 1000  # enough to tell a proxy's own answer from the application's


def attempt(spec: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """Stage `http` with status and the start of the body, or a AttemptError at the stage before."""
    since = time.monotonic()
    connection, peer = open_connection(spec, timeout)
    stage = "tcp" if spec.get("tls") is None else "tls"
    try:
        answer, body = exchange(connection, spec, stage, since)
    finally:
        connection.close()
    found = {"stage": "http", "status": answer.status, "body": body[:BODY_LIMIT].decode(errors="replace"), "peer": peer}
    grpc = answer.getheader("grpc-status")
    return found if grpc is None else found | {"grpc": grpc, "body": unquote(answer.getheader("grpc-message", ""))}


def resume(spec: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """One request, then another over its TLS session: stage `http` when that was resumed, else `whole handshake`."""
    since = time.monotonic()
    first, _ = open_connection(spec, timeout)
    try:
        exchange(first, spec, "tls", since)  # with TLS 1.3 the session comes after the handshake
        since = time.monotonic()
        again, peer = open_connection(spec, timeout, like=first)
    finally:
        first.close()
    try:
        answer, _ = exchange(again, spec, "tls", since)
        if not isinstance(again, ssl.SSLSocket) or not again.session_reused:
            raise AttemptError("tls", "whole handshake", answer.status)
    finally:
        again.close()
    return {"stage": "http", "status": answer.status, "peer": peer}


def open_connection(
    spec: Mapping[str, Any], timeout: float, *, like: socket.socket | None = None
) -> tuple[socket.socket, str]:
    """A connection ready for a request, and the identity of a verified server; `like` has a session to resume."""
    connection = connect(spec["host"], spec["port"], timeout)
    if spec.get("tls") is None:
        return connection, ""
    try:
        return tls.wrap(connection, spec["tls"], like=like)
    except BaseException:  # a certificate that cannot be read, too
        connection.close()
        raise


def exchange(
    connection: socket.socket, spec: Mapping[str, Any], stage: str, since: float
) -> tuple[http.client.HTTPResponse, bytes]:
    """Send the request and read the answer, over a connection begun at `since` (monotonic seconds).

    With TLS 1.3 a refused certificate shows here, not in the handshake.
    """
    try:
        connection.sendall(_request(spec))
        answer = http.client.HTTPResponse(connection, method=spec["method"])
        answer.begin()
        return answer, answer.read()
    except OSError as error:
        raise AttemptError(stage, tls.parting(connection, error, since)) from error
    except http.client.HTTPException as error:
        raise AttemptError(stage, f"closed: {type(error).__name__}") from error


def _request(spec: Mapping[str, Any]) -> bytes:
    """Head and body in one piece: a server that refuses after the head closes the connection on the rest."""
    body = spec.get("body") or b""
    body = body.encode() if isinstance(body, str) else body
    headers = {"host": spec["host"], "user-agent": "garrison-prober", "connection": "close", **spec.get("headers", {})}
    if body:
        headers["content-length"] = str(len(body))
    lines = [f"{spec['method']} {spec['path']} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body
