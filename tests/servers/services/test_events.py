"""Events over a real NATS with the estate's settings: what orders publish, the mailer gets; what is lost, and when."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import pytest

from common.events import Events, Lost
from garrison.declare.program import load
from harness import paths
from harness.build import binary
from harness.ports import free_port
from servers.proxies import eventually, wait_for
from unit.services.test_mailer import EVENT, LETTER

(NATS,) = [one for one in load(paths.REPO / "stacks/estate.py").graph().services if one.name == "nats"]


@dataclass
class Server:
    """NATS, which may be started again."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        ((_, settings),) = NATS.container.files
        moved = settings.replace(f"port: {NATS.port}", f"port: {self.port}")
        assert moved != settings
        (self.folder / "nats.conf").write_text(moved)
        command = [str(binary("nats-server")), "-c", str(self.folder / "nats.conf")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(NATS.container.env))
        wait_for(self.port, self.process, self.folder / "log")

    def stop(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait(10)


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, free_port())
    server.start()
    yield server
    server.stop()


@dataclass
class Worker:
    outbox: Path
    log: Path
    process: subprocess.Popen[bytes]

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def listening(self) -> int:
        return [line["message"] for line in self.said()].count("listening to orders.placed")

    def letters(self) -> set[str]:
        return {file.stem for file in self.outbox.glob("*.txt")}


@pytest.fixture
def mailer(nats: Server, tmp_path: Path) -> Iterator[Worker]:
    (tmp_path / "outbox").mkdir()
    env = {"NATS_ADDR": nats.address, "LETTER_FILE": str(LETTER), "OUTBOX": str(tmp_path / "outbox")}
    env |= {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.REPO / "services")}
    with (tmp_path / "mailer.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "mailer"], env=env, stdout=log, stderr=log)
    worker = Worker(tmp_path / "outbox", tmp_path / "mailer.log", process)
    eventually(lambda: worker.listening() == 1, "the mailer listens")
    yield worker
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_every_event_arrives_once_whoever_publishes(nats: Server, mailer: Worker) -> None:
    events = Events(nats.address, "test")
    orders = {uuid4().hex for _ in range(60)}
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda order: events.publish("orders.placed", {**EVENT, "order": order}), [*orders, *orders]))
    events.publish("orders.other", {**EVENT, "order": "not-for-it"})
    eventually(lambda: mailer.letters() == orders, "every letter is written")
    events.close()


def test_both_sides_find_a_server_that_comes_back(nats: Server, mailer: Worker) -> None:
    events = Events(nats.address, "test")
    events.publish("orders.placed", {**EVENT, "order": "before"})
    nats.stop()
    with pytest.raises(Lost):
        events.publish("orders.placed", {**EVENT, "order": "lost"})
    nats.start()
    eventually(lambda: mailer.listening() == 2, "the mailer listens again")
    events.publish("orders.placed", {**EVENT, "order": "after"})
    eventually(lambda: mailer.letters() == {"before", "after"}, "what was published is written")
    events.close()


def test_what_cannot_be_used_does_not_end_the_worker(nats: Server, mailer: Worker) -> None:
    events = Events(nats.address, "test")
    with socket.create_connection(("127.0.0.1", nats.port), timeout=5) as raw, raw.makefile("rb") as lines:
        raw.sendall(b'CONNECT {"verbose":false}\r\n')
        raw.sendall(b"PUB orders.placed 5\r\nhello\r\nPUB orders.placed 2\r\n{}\r\nPING\r\n")
        assert lines.readline().startswith(b"INFO ")
        assert lines.readline() == b"PONG\r\n"
    events.publish("orders.placed", EVENT)
    eventually(lambda: mailer.letters() == {"o-1"}, "the next one is written")
    events.close()


def test_a_group_gets_each_event_once(nats: Server) -> None:
    got: list[list[Any]] = [[], []]
    ready = threading.Barrier(3)

    def arrived() -> None:
        ready.wait(20)

    def receive(into: list[Any]) -> None:
        with contextlib.suppress(Lost):
            into.extend(event["n"] for event in Events(nats.address, "test").received("s", "g", ready=arrived))

    threads = [threading.Thread(target=receive, args=(into,)) for into in got]
    for thread in threads:
        thread.start()
    ready.wait(20)
    events = Events(nats.address, "test")
    for number in range(40):
        events.publish("s", {"n": number})
    eventually(lambda: sorted(got[0] + got[1]) == [*range(40)], "each arrives at one of them")
    events.close()
    nats.stop()
    for thread in threads:
        thread.join(20)
    nats.start()


def test_an_event_that_is_too_long_is_refused_by_the_server(nats: Server) -> None:
    events = Events(nats.address, "test")
    with pytest.raises(Lost):
        events.publish("orders.placed", {"text": "x" * 70_000})
    events.publish("orders.placed", EVENT)
    events.close()


def test_what_is_no_nats_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        def greet() -> None:
            with other.accept()[0] as wire:
                wire.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(Lost, match="does not greet as NATS does"):
            Events(f"127.0.0.1:{port}", "test").publish("orders.placed", EVENT)
        thread.join(10)


def test_no_publisher_waits_for_another() -> None:
    """The server answers the second one first: whoever had to wait for the first would wait for ever."""

    def answer(lines: BinaryIO, wire: socket.socket) -> None:
        while not lines.readline().startswith(b"PING"):
            pass
        wire.sendall(b"PONG\r\n")

    with socket.create_server(("127.0.0.1", 0)) as other, ThreadPoolExecutor(2) as threads:
        other.settimeout(10)
        events = Events(f"127.0.0.1:{other.getsockname()[1]}", "test")
        with ExitStack() as held:

            def accepted() -> tuple[BinaryIO, socket.socket]:
                wire = held.enter_context(other.accept()[0])
                wire.sendall(b"INFO {}\r\n")
                lines = held.enter_context(wire.makefile("rb"))
                answer(lines, wire)
                return lines, wire

            first = threads.submit(events.publish, "s", EVENT)
            waiting = accepted()
            second = threads.submit(events.publish, "s", EVENT)
            answer(*accepted())
            second.result(10)
            answer(*waiting)
            first.result(10)
            events.close()
