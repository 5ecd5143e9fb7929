"""The plugin process: serve on a free loopback port, print it, live as long as the engine.

Pulumi starts plugins with the engine's address as the last argument and reads the port from the
first line of standard output.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import grpc
from pulumi.runtime.proto import provider_pb2_grpc

from harness.plugin.host import Host
from harness.plugin.servicer import Servicer

# One thread per resource that may be waiting at the same time.
THREADS: Final = 256
LIMIT: Final = 400 * 1024 * 1024
OPTIONS: Final = (
    ("grpc.max_receive_message_length", LIMIT),
    ("grpc.max_send_message_length", LIMIT),
)


def serve(engine: str) -> tuple[grpc.Server, int]:
    """A started server and its port."""
    host = Host()
    if engine:
        host.connect(engine)
    server = grpc.server(ThreadPoolExecutor(THREADS), options=OPTIONS)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Servicer(host), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def main() -> int:
    """Serve until the engine says so, or goes away.

    The engine ends a plugin with SIGINT and kills it after five seconds. Ctrl-C does not come that way: plugins are in
    process groups of their own, and hear of it through the engine's Cancel.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    parent = os.getppid()
    engines = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    server, port = serve(engines[-1] if engines else "")
    print(port, flush=True)
    while os.getppid() == parent and not stop.is_set():
        stop.wait(0.2)
    server.stop(grace=None)
    os._exit(0)  # threads that still wait for a cluster must not keep the process


if __name__ == "__main__":
    sys.exit(main())
