"""Runs inside a pod, from its source, as the first thing the pod does: from when on is it refused what it may not?

Standard library only, since the image is the probe tool's and this is not part of it.

dial HOST PORT SECONDS              try again and again, and say until when it was answered
await PORT BACK SECONDS             wait for a new pod to call, and then dial its port BACK
call HOST PORT OWN                  listen at OWN, call who awaits it, and answer until the pod is gone
"""

from __future__ import annotations

import json
import socket
import sys
import time
from typing import NoReturn

PAUSE, TRY = 0.01, 0.25  # between attempts, and for each
ANYWHERE = ""


def opened(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=TRY).close()
    except OSError:
        return False
    return True


def dial(host: str, port: int, seconds: float) -> dict[str, int]:
    """How often it was tried and answered, and the millisecond of the last answer; 0 where there was none."""
    start, last, tries, answered = time.monotonic(), 0.0, 0, 0
    while time.monotonic() - start < seconds:
        tries += 1
        if opened(host, port):
            last, answered = time.monotonic() - start, answered + 1
        time.sleep(PAUSE)
    return {"tries": tries, "answered": answered, "open_ms": round(last * 1000)}


def wait_for_call(port: int, back: int, seconds: float) -> dict[str, int]:
    """Dial whoever calls first."""
    with socket.create_server((ANYWHERE, port)) as server:
        connection, peer = server.accept()
        connection.close()
        return dial(peer[0], back, seconds)


def call(host: str, port: int, own: int) -> NoReturn:
    """Be there to be dialled."""
    with socket.create_server((ANYWHERE, own), backlog=64) as server:
        while not opened(host, port):
            time.sleep(PAUSE)
        while True:
            server.accept()[0].close()


def main(words: list[str]) -> dict[str, int]:
    match words:
        case ["dial", host, port, seconds]:
            return dial(host, int(port), float(seconds))
        case ["await", port, back, seconds]:
            return wait_for_call(int(port), int(back), float(seconds))
        case ["call", host, port, own]:
            call(host, int(port), int(own))
    raise SystemExit(__doc__)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
