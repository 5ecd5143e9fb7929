"""What runs in a new pod, run here on loopback: until when it was answered is what it says."""

from __future__ import annotations

import inspect
import json
import socket
import subprocess
import sys
import threading

from garrison.doctor import watch
from harness.ports import free_port


def started(*words: object) -> subprocess.Popen[str]:
    """As in a pod: the source itself, and no module beside it."""
    command = [sys.executable, "-I", "-c", inspect.getsource(watch), *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> dict[str, int]:
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    found: dict[str, int] = json.loads(out)
    return found


def test_who_is_never_answered_was_never_open() -> None:
    found = said(started("dial", "127.0.0.1", free_port(), 0.3))
    assert found["tries"] > 1
    assert (found["answered"], found["open_ms"]) == (0, 0)


def test_who_is_answered_throughout_was_open_to_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as server:
        found = said(started("dial", "127.0.0.1", server.getsockname()[1], 0.3))
    assert found["answered"] == found["tries"] > 1
    assert 200 < found["open_ms"] <= 400


def test_who_is_answered_at_first_was_open_until_then() -> None:
    server = socket.create_server(("127.0.0.1", 0), backlog=1000)

    def close_after_three() -> None:
        for _ in range(3):
            server.accept()[0].close()
        server.close()

    threading.Thread(target=close_after_three, daemon=True).start()
    found = said(started("dial", "127.0.0.1", server.getsockname()[1], 1))
    assert 3 <= found["answered"] < found["tries"]
    assert 0 < found["open_ms"] < 900


def test_a_new_pod_calls_and_is_dialled_back() -> None:
    first, second = free_port(), free_port()
    awaiting = started("await", first, second, 0.5)
    calling = started("call", "127.0.0.1", first, second)
    try:
        found = said(awaiting)
        assert found["answered"] == found["tries"] > 1
        socket.create_connection(("127.0.0.1", second), timeout=5).close()  # the control after it: it is there still
    finally:
        calling.kill()
        calling.communicate()


def test_anything_else_says_what_there_is() -> None:
    process = started("sing")
    process.communicate(timeout=30)
    assert process.returncode != 0
