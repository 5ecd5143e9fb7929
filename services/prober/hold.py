"""A connection of which nobody knows what would be said in it: whether it stays open, in clear or over TLS.

A server that speaks first is heard; one that waits for its client says nothing, and that is an answer, too. Whoever is
refused is told by an alert, or finds the connection closed.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from prober import tls
from prober.net import AttemptError
from prober.web import open_connection

SECONDS = 3.0  # longer than a proxy takes to find out that there is nobody behind it


def attempt(spec: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    """Stage `open` with what was heard; with `resume`, of a second connection over the first one's TLS session."""
    since = time.monotonic()
    connection, peer = open_connection(spec, timeout)
    with connection:
        heard = _heard(connection, since)
        if not spec.get("resume"):
            return {"stage": "open", "body": heard.decode(errors="replace"), "peer": peer}
        _ended(connection)
        since = time.monotonic()
        again, peer = open_connection(spec, timeout, like=connection)
    with again:
        _heard(again, since)
        if not isinstance(again, ssl.SSLSocket) or not again.session_reused:
            raise AttemptError("tls", "whole handshake")
    return {"stage": "open", "peer": peer}


def _ended(connection: socket.socket) -> None:
    """Say that nothing follows and read to the end: with TLS 1.3 the session comes with the other side's first words,
    which for a server that waits for its client are those of its parting.
    """
    socket.socket.shutdown(connection, socket.SHUT_WR)  # that of an SSLSocket would forget the TLS of the way back
    with suppress(OSError):
        while connection.recv(1000):
            pass


def _heard(connection: socket.socket, since: float) -> bytes:
    stage = "tls" if isinstance(connection, ssl.SSLSocket) else "tcp"
    connection.settimeout(SECONDS)
    try:
        heard = connection.recv(1000)
        if not heard:
            raise ConnectionResetError
    except TimeoutError:
        return b""
    except OSError as error:
        raise AttemptError(stage, tls.parting(connection, error, since)) from error
    return heard
