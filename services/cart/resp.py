"""What is needed of Redis's protocol (RESP2): a command and its answer, over connections that are kept.

The usual library does it, too, and takes 29 MB of memory for it.
"""

from __future__ import annotations

import select
import socket
from collections import deque
from urllib.parse import urlsplit

from common.settings import SettingsError

TIMEOUT = 2.0
Word = str | int
Reply = bytes | int | list["Reply"] | None


class Unavailable(Exception):
    """Redis cannot be reached, or speaks something else. Whether the command had its effect is not known."""


class Failed(Exception):
    """Redis did not do it; the message is its own."""


class Redis:
    """A Redis at an address, for any number of threads."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
        self._idle: deque[_Connection] = deque()

    @classmethod
    def of(cls, name: str, url: str) -> Redis:
        """The one at redis://HOST:PORT, which is what the setting `name` says."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or not port or parts.scheme != "redis":
            raise SettingsError(f"{name}={url!r} is not an address, such as redis://127.0.0.1:6379")
        return cls(host, port)

    def do(self, *command: Word) -> Reply:
        """The answer to a command; never sent twice, since it may have had its effect."""
        try:
            connection = self._connection()
            try:
                answer = connection.ask(command)
            except Failed:
                self._idle.append(connection)
                raise
            except BaseException:
                connection.close()
                raise
        except (OSError, ValueError) as error:
            raise Unavailable(type(error).__name__) from None
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Let go of every connection."""
        while self._idle:
            self._idle.pop().close()

    def _connection(self) -> _Connection:
        """One that nobody uses and the other side has not closed, or a new one."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return _Connection(socket.create_connection(self._place, timeout=TIMEOUT))
            if connection.silent():
                return connection
            connection.close()


class _Connection:
    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._lines = wire.makefile("rb")

    def ask(self, command: tuple[Word, ...]) -> Reply:
        words = [str(word).encode() for word in command]
        self._wire.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words))
        return self._reply()

    def silent(self) -> bool:
        """Whether nothing is there to be read: an answer nobody asked for, or the end."""
        return not select.select([self._wire], [], [], 0)[0]

    def close(self) -> None:
        self._lines.close()
        self._wire.close()

    def _reply(self) -> Reply:
        line = self._lines.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            raise Failed(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._text(int(rest))
        if kind == b"*":
            return [self._reply() for _ in range(int(rest))]
        raise ValueError

    def _text(self, length: int) -> bytes:
        text = self._lines.read(length + 2)
        if len(text) < length + 2:
            raise ConnectionResetError
        return text[:-2]
