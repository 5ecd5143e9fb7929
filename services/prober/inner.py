"""TLS within TLS: an application's own handshake with a host outside, inside the way to that host.

Whose certificate the host has is the application's to look at, and not what is tried: any will do. Over the outer line,
which is TLS with a gateway, or clear with a proxy beside us.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from typing import Any

from prober import tls
from prober.net import AttemptError
from prober.web import open_connection

CLEAR = b"GET / HTTP/1.1\r\nhost: garrison-probe\r\n\r\n"
CHUNK = 16_384


def attempt(spec: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """Stage `inner` when the host has answered, else the stage before; with no name, bytes that are no TLS."""
    since = time.monotonic()
    line, peer = open_connection(spec, timeout)
    stage = "tcp" if spec.get("tls") is None else "tls"
    with line:
        try:
            _handshake(line, spec["inner"]) if spec["inner"] else _in_clear(line)
        except OSError as error:
            raise AttemptError(stage, tls.parting(line, error, since)) from error
    return {"stage": "inner", "peer": peer}


def _in_clear(line: Any) -> None:
    line.sendall(CLEAR)
    if not line.recv(CHUNK):
        raise ConnectionResetError


def _handshake(line: Any, host: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    heard, said = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(heard, said, server_hostname=host)
    while True:
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            line.sendall(said.read())
            if not (more := line.recv(CHUNK)):
                raise ConnectionResetError from None
            heard.write(more)
        else:
            line.sendall(said.read())
            return
