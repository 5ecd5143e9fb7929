"""TCP connections that know why they failed.

A firewall that rejects with "ICMP port unreachable" and a host where nothing listens both give a client ECONNREFUSED.
They are told apart by Linux's error queue: with IP_RECVERR set, a rejection leaves the ICMP message there, a TCP
reset leaves nothing.
"""

from __future__ import annotations

import ipaddress
import socket

# Linux's <linux/in.h>, <linux/in6.h> and <linux/errqueue.h>; Python does not name them all.
IP_RECVERR, IPV6_RECVERR = 11, 25
ANSWER_SECONDS = 10.0  # once connected, silence proves nothing: a slow server gets its time
ORIGIN_OFFSET, ORIGIN_ICMP, ORIGIN_ICMP6 = 4, 2, 3


class AttemptError(Exception):
    """An attempt that ended early: the last stage it completed and what stopped it."""

    def __init__(self, stage: str, error: str, status: int = 0) -> None:
        super().__init__(f"{stage}: {error}")
        self.stage, self.error, self.status = stage, error, status


def address(host: str) -> str:
    """Where a name leads, as this pod's resolver says, or AttemptError `unresolved`; an address is itself."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise AttemptError("none", "unresolved") from error


def connect(host: str, port: int, timeout: float) -> socket.socket:
    """An open connection, or a AttemptError with `timeout`, `icmp`, `refused` (a TCP reset) or `unreachable`."""
    six = ipaddress.ip_address(host).version == 6
    connection = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM)
    if six:
        connection.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        connection.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    connection.settimeout(timeout)
    try:
        connection.connect((host, port))
        # Linux wakes who waits for the ICMP message before it notes the error, and Python then reads that all is well.
        connection.getpeername()
    except OSError as error:
        reason = _reason(error, connection)
        connection.close()
        raise AttemptError("none", reason) from error
    connection.settimeout(max(timeout, ANSWER_SECONDS))
    return connection


def _reason(error: OSError, connection: socket.socket) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if _rejected_by_icmp(connection):
        return "icmp"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return f"unreachable: {error.strerror or error}"


def _rejected_by_icmp(connection: socket.socket) -> bool:
    """Whether an ICMP message about this connection is in its error queue."""
    connection.setblocking(False)
    try:
        _, ancillary, _, _ = connection.recvmsg(512, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return False
    return any(data[ORIGIN_OFFSET] in (ORIGIN_ICMP, ORIGIN_ICMP6) for _, _, data in ancillary)
