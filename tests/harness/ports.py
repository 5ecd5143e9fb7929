"""Ports of loopback for what a test starts by itself: of two tests that run beside each other, never the same one.

Asking the kernel for any port and closing it again gives one of the range it takes for outgoing connections, too; until
the server of the test binds it, somebody's connection may have it. These lie below that range, and each is claimed by a
lock of its byte in one file, which every process of every checkout sees and which ends with the process.
"""

from __future__ import annotations

import fcntl
import random
import socket
import tempfile
from functools import cache
from pathlib import Path
from typing import IO

LOWEST = 10_000  # below are the ports that programs are known by, and those of our clusters' entrances
_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_TRIES = 1_000
_given: set[int] = set()


class NoPortError(Exception):
    """Every port that was tried is somebody's."""


def free_port() -> int:
    """A free TCP and UDP port of 127.0.0.1 that is this process's as long as it lives, each time another one."""
    top = int(_OUTGOING.read_text().split()[0])
    for _ in range(_TRIES):
        port = random.randrange(LOWEST, top)
        if port not in _given and _claimed(port) and _free(port):
            _given.add(port)
            return port
    raise NoPortError(f"none of {_TRIES} ports between {LOWEST} and {top} is free; what listens there: ss -ltnp")


def _claimed(port: int) -> bool:
    try:
        fcntl.lockf(_claims(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except OSError:
        return False
    return True


@cache
def _claims() -> IO[bytes]:
    """Open as long as the process lives: closing a file gives up all its locks."""
    return (Path(tempfile.gettempdir()) / "garrison-ports").open("ab")


def _free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
