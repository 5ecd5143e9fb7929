"""As much of PostgreSQL's wire protocol (version 3.0) as it takes to see whether a log-in is accepted."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from prober import tls
from prober.net import AttemptError, connect
from prober.scram import Scram

NOTHING = "SELECT current_user"
Ask = Callable[[str], None]
PROTOCOL, SSL_REQUEST = 196608, 80877103
OK, CLEARTEXT, SASL, SASL_CONTINUE, SASL_FINAL = 0, 3, 10, 11, 12


def attempt(spec: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """Stage `sql` when a query was answered; AttemptError with the server's SQLSTATE when it refused."""
    with session(spec, timeout) as (ask, peer):
        ask(NOTHING)
    return {"stage": "sql", "peer": peer}


@contextmanager
def session(spec: Mapping[str, Any], timeout: float) -> Iterator[tuple[Ask, str]]:
    """A log-in: what asks the server something, and the server's identity."""
    connection = connect(spec["host"], spec["port"], timeout)
    peer = ""
    try:
        if spec.get("tls") is not None:
            connection, peer = _secure(connection, spec["tls"])
        _log_in(connection, spec)
        yield lambda text: _query(connection, text), peer
        with suppress(OSError):  # the server may have ended it
            connection.sendall(b"X" + struct.pack("!i", 4))
    except OSError as error:
        raise AttemptError("tcp" if spec.get("tls") is None else "tls", tls.reason(error)) from error
    finally:
        connection.close()


def _secure(connection: socket.socket, options: Mapping[str, Any]) -> tuple[socket.socket, str]:
    connection.sendall(struct.pack("!ii", 8, SSL_REQUEST))
    if connection.recv(1) != b"S":
        raise AttemptError("tcp", "the server offers no TLS")
    return tls.wrap(connection, options)


def _log_in(connection: socket.socket, spec: Mapping[str, Any]) -> None:
    names = f"user\0{spec['user']}\0database\0{spec['database']}\0\0".encode()
    connection.sendall(struct.pack("!ii", len(names) + 8, PROTOCOL) + names)
    scram = Scram(spec.get("password", ""))
    while True:
        kind, body = _message(connection)
        if kind == b"Z":  # ready for queries
            return
        if kind == b"R":
            _authenticate(connection, scram, body)


def _authenticate(connection: socket.socket, scram: Scram, body: bytes) -> None:
    code = struct.unpack("!i", body[:4])[0]
    if code == SASL:
        first = scram.first()
        _send(connection, b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first)
    elif code == SASL_CONTINUE:
        _send(connection, scram.final(body[4:]))
    elif code not in (OK, SASL_FINAL):
        raise AttemptError("sql", f"crash: the server asks for authentication method {code}, which is not SCRAM")


def _send(connection: socket.socket, body: bytes) -> None:
    connection.sendall(b"p" + struct.pack("!i", len(body) + 4) + body)


def _query(connection: socket.socket, text: str) -> None:
    body = f"{text}\0".encode()
    connection.sendall(b"Q" + struct.pack("!i", len(body) + 4) + body)
    while _message(connection)[0] != b"Z":
        pass


def _message(connection: socket.socket) -> tuple[bytes, bytes]:
    """The next message; an error response becomes a AttemptError that carries SQLSTATE and text."""
    kind, length = struct.unpack("!ci", _exactly(connection, 5))
    body = _exactly(connection, length - 4)
    if kind == b"E":
        fields = {part[:1]: part[1:].decode(errors="replace") for part in body.split(b"\0") if part}
        raise AttemptError("sql", f"{fields.get(b'C', '')} {fields.get(b'M', '')}")
    return kind, body


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionResetError("closed by the server")
        data += more
    return data
