"""Events over NATS: what is needed of its client protocol, to publish and to receive.

An event is at most once: who is not there when it is published does not get it. Who publishes does so after what it
tells of is kept, and goes on without where that fails.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from common import settings
from common.log import logger

TIMEOUT = 2.0
SILENCE = 300.0  # longer than a server lets pass without a word: it asks every two minutes whether we are there
ASK, ANSWER = b"PING\r\n", b"PONG\r\n"
MAX_EVENT = 64 * 1024


class Lost(Exception):
    """There is no NATS at the address, or it ended the connection; the message says how."""


class Events:
    """A NATS server, for publishers of any number of threads and for one receiver."""

    def __init__(self, address: str, name: str) -> None:
        """`address` is HOST:PORT; `name` is what the server calls this client in its own log."""
        host, _, port = address.rpartition(":")
        self._place = (host, int(port))
        self._name = name
        self._idle: list[_Connection] = []  # lists of CPython take and give in one step

    @classmethod
    def from_environment(cls, variable: str, name: str) -> Events:
        """The server that the setting names."""
        return cls(settings.address(variable), name)

    def publish(self, subject: str, event: dict[str, Any]) -> None:
        """Give it to the server, which has it when this returns; raises Lost."""
        text = json.dumps(event).encode()
        try:
            connection = self._taken()
            try:
                connection.send(b"PUB %b %d\r\n%b\r\n" % (subject.encode(), len(text), text))
                connection.settle()
            except BaseException:
                connection.close()
                raise
        except (OSError, ValueError) as error:
            raise Lost(f"{type(error).__name__}: {error}") from None
        self._idle.append(connection)

    def received(self, subject: str, group: str, *, ready: Callable[[], None] = lambda: None) -> Iterator[Any]:
        """Each event, shared with the other receivers of the group; `ready` is called once they come. Raises Lost."""
        try:
            connection = self._connect(SILENCE)
            try:
                connection.send(b"SUB %b %b 1\r\n" % (subject.encode(), group.encode()))
                connection.settle()
                ready()
                for text in connection.messages():
                    try:
                        yield json.loads(text)
                    except ValueError:
                        logger.warning("an event of %s is not JSON", subject)
            finally:
                connection.close()
        except (OSError, ValueError) as error:
            raise Lost(f"{type(error).__name__}: {error}") from None

    def close(self) -> None:
        """Let go of the connections."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _taken(self) -> _Connection:
        """A connection that nobody else has: who publishes waits for the server, not for others who publish."""
        with suppress(IndexError):  # none is idle
            while True:
                kept = self._idle.pop()
                if kept.silent():
                    return kept
                kept.close()  # it was asked something, or ended
        return self._connect(TIMEOUT)

    def _connect(self, timeout: float) -> _Connection:
        return _Connection(socket.create_connection(self._place, timeout=TIMEOUT), self._name, timeout)


class _Connection:
    def __init__(self, wire: socket.socket, name: str, timeout: float) -> None:
        self._wire = wire
        self._lines = wire.makefile("rb")
        try:
            self._greet(name)
            wire.settimeout(timeout)
        except BaseException:
            self.close()
            raise

    def _greet(self, name: str) -> None:
        if self._line()[0] != b"INFO":
            raise ValueError("it does not greet as NATS does")
        said = {"verbose": False, "pedantic": False, "name": name, "lang": "python", "version": "0"}
        self.send(b"CONNECT %b\r\n" % json.dumps(said).encode())
        self.settle()

    def send(self, text: bytes) -> None:
        self._wire.sendall(text)

    def settle(self) -> None:
        """Come back when the server has done all that it was told."""
        self.send(ASK)
        while self._line()[0] != b"PONG":
            pass

    def messages(self) -> Iterator[bytes]:
        while True:
            word, *rest = self._line()
            if word == b"MSG":
                length = int(rest[-1])
                if length > MAX_EVENT:
                    raise ValueError("an event is too long")
                text = self._lines.read(length + 2)
                if len(text) < length + 2:
                    raise ConnectionResetError("it ended within an event")
                yield text[:-2]

    def silent(self) -> bool:
        """Whether nothing is there to be read."""
        return not select.select([self._wire], [], [], 0)[0]

    def close(self) -> None:
        self._lines.close()
        self._wire.close()

    def _line(self) -> list[bytes]:
        """The words of the next line that says something; raises where it is an error, or the end."""
        line = self._lines.readline(MAX_EVENT)
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("it ended the connection")
        words = line.split() or [b""]
        if words[0] == b"PING":
            self.send(ANSWER)
        if words[0] == b"-ERR":
            raise ValueError(line[5:-2].decode(errors="replace"))
        return words
