"""What the proxy says of itself, on a socket: one that takes its time is not one that is not there."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from garrison_edge import proxy
from garrison_edge.proxy import Proxy

BUSY = "listener.0.0.0.0_8443.downstream_cx_active: 3\n"
IDLE = "listener.0.0.0.0_8443.downstream_cx_active: 0\n"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "SECONDS", 0.2)


@contextmanager
def answering(path: Path, *texts: str) -> Iterator[Proxy]:
    """A proxy that answers each request with the next text; to an empty one it says nothing."""
    kept: list[socket.socket] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            for text in texts:
                line, _ = listening.accept()
                kept.append(line)
                line.recv(65536)
                if text:
                    line.sendall(f"HTTP/1.1 200 OK\r\ncontent-length: {len(text)}\r\n\r\n{text}".encode())

        thread = threading.Thread(target=serve)
        thread.start()
        yield Proxy(path)
        thread.join(10)
        for line in kept:
            line.close()


def test_one_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    nobody = Proxy(tmp_path / "admin.sock")
    assert asyncio.run(nobody.state()) is None
    assert not asyncio.run(nobody.busy())
    assert not asyncio.run(nobody.leave(60))


def test_what_it_has_taken_is_not_known_while_it_takes_its_time(tmp_path: Path) -> None:
    with answering(tmp_path / "admin.sock", "", 'cluster_manager.cds.version_text: "abc"\n') as there:
        with pytest.raises(TimeoutError):
            asyncio.run(there.state())
        assert (said := asyncio.run(there.state()))
        assert said.versions == {"cluster_manager.cds": "abc"}


def test_while_it_takes_its_time_its_clients_are_there(tmp_path: Path) -> None:
    with answering(tmp_path / "admin.sock", BUSY, "", IDLE) as there:
        assert [asyncio.run(there.busy()) for _ in range(3)] == [True, True, False]


def test_it_is_told_to_leave_until_it_has_heard_it(tmp_path: Path) -> None:
    with answering(tmp_path / "admin.sock", "", "OK") as there:
        assert asyncio.run(there.leave(60))


def test_it_is_not_told_for_ever(tmp_path: Path) -> None:
    with answering(tmp_path / "admin.sock", "") as there:
        assert not asyncio.run(there.leave(0))
