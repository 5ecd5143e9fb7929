"""How the edge of a local cluster is reached: one port of this machine's loopback, which leads to one of a node.

The port is part of every URL of the edge, so that each cluster has its own and two of them stand side by side.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from types import MappingProxyType

ADDRESS = "127.0.0.1"
PORTS: Mapping[str, int] = MappingProxyType({"garrison": 8443, "garrison-test": 8444})
NODE_PORT = 30443


def mappings(cluster: str) -> list[dict[str, object]]:
    """What kind is told of the node that leads to the edge; a cluster without an estate has no such port."""
    if cluster not in PORTS:
        return []
    return [
        {"listenAddress": ADDRESS, "hostPort": PORTS[cluster], "containerPort": NODE_PORT, "protocol": "TCP"},
    ]


def free(port: int) -> bool:
    """Whether nobody listens there."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what was closed just now is free
        try:
            tried.bind((ADDRESS, port))
        except OSError:
            return False
    return True
