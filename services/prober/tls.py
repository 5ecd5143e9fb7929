"""TLS clients made to order: with this certificate or none, of this version at most, sure of the server or not."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

from prober.net import AttemptError

PEM = "-----BEGIN"
HANDSHAKE_SECONDS = 2.0
"""A proxy closes without a word what has not shown who it is by then; where a machine stands still, that is anybody."""


def wrap(
    connection: socket.socket, options: Mapping[str, Any], *, like: socket.socket | None = None
) -> tuple[ssl.SSLSocket, str]:
    """The handshake on an open connection, and the server's identity; AttemptError at stage `tcp` if it fails.

    With `like`, resuming that connection's session if the server lets it.
    """
    context, session = (like.context, like.session) if isinstance(like, ssl.SSLSocket) else (_context(options), None)
    try:
        secure = context.wrap_socket(
            connection, server_hostname=options.get("server_name") or options.get("sni"), session=session
        )
    except OSError as error:  # ssl.SSLError is one
        raise AttemptError("tcp", reason(error)) from error
    peer = _peer(secure)
    if options.get("peer", peer) != peer:
        secure.close()
        raise AttemptError("tcp", f"server: it is {peer or 'nobody'}, not {options['peer']}")
    return secure, peer


def reason(error: OSError) -> str:
    """What the other side said: a TLS alert by name, or that it closed the connection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"server: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError | ConnectionError):
        return "closed"
    if isinstance(error, TimeoutError):
        return "silence"
    if isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
        return f"alert: {str(error.reason).lower()}"
    return f"tls: {error}"


def parting(connection: socket.socket, error: OSError, since: float) -> str:
    """Why a connection that was begun at `since` ended, after our side of the handshake if it has one. One that is
    closed when the other side may have waited for us in vain tells nothing: `closed late`.
    """
    said, late = reason(error), time.monotonic() - since >= HANDSHAKE_SECONDS
    return f"{said} late" if said == "closed" and late and isinstance(connection, ssl.SSLSocket) else said


def _context(options: Mapping[str, Any]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = bool(options.get("server_name"))
    if options.get("trust"):
        trust = options["trust"]
        context.load_verify_locations(**{"cadata" if trust.startswith(PEM) else "cafile": trust})
    else:  # the attempt is about what the server accepts, so any server will do
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if options.get("maximum") == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if options.get("certificate"):
        _load(context, options["certificate"], options["key"])
    return context


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """A certificate from files, or from PEM text by way of memory: a forged key never touches a disk."""
    if not certificate.startswith(PEM):
        context.load_cert_chain(certificate, key)
        return
    descriptor = os.memfd_create("identity")
    try:
        os.write(descriptor, f"{key}\n{certificate}".encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _peer(secure: ssl.SSLSocket) -> str:
    """The URI name of a verified server certificate (empty where nothing was verified)."""
    names = (secure.getpeercert() or {}).get("subjectAltName", ())
    return next((str(pair[1]) for pair in names if pair[0] == "URI"), "")
