"""The client at the edge: one connection for each attempt, to an address that need not be what the name leads to."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from garrison.prove.expect.messages import Message
from garrison.prove.judge.entry import PATIENCE
from garrison.prove.model import ProveError
from garrison.prove.trials import Answer

MOST_BODY: Final = 64 * 2**10  # as much of an answer as is read
REACHED_SECONDS: Final = 20.0  # rules of a Service that is new take a moment to come to a node
PAUSE: Final = 0.5
THROTTLED: Final = 429
REQUEST_ID: Final = "x-request-id"


@dataclass(frozen=True)
class Entry:
    """Where the edge is reached."""

    address: str
    port: int
    ca_file: Path | None = None
    """The authority of its certificates; None is whomever this machine trusts."""
    timeout: float = 5.0
    port_in_urls: int = 443
    source: str | None = None
    """The address of this machine from which it is reached; None is what the routes say."""

    @classmethod
    def parse(cls, url: str, ca_file: Path | None, timeout: float) -> Entry:
        """From `https://HOST[:PORT]`: the one address at which all hosts of the edge are."""
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/"):
            raise ProveError(f"--edge {url}: write https://ADDRESS or https://ADDRESS:PORT")
        if ca_file and not ca_file.is_file():
            raise ProveError(f"--ca {ca_file}: there is no such file")
        port = parts.port or 443
        return cls(parts.hostname, port, ca_file, timeout, port)

    def reached(self, patience: float = REACHED_SECONDS) -> Self:
        """Itself, once a connection to it is opened; ProveError where none is: each probe would only wait for it."""
        deadline = time.monotonic() + patience
        while error := self._closed():
            if time.monotonic() > deadline:
                where = f"the edge does not answer at {self.address}:{self.port} ({error})"
                raise ProveError(f"{where}: look at its pods, and at what lies between here and there")
            time.sleep(PAUSE)
        return self

    def _closed(self) -> OSError | None:
        try:
            self._connected().close()
        except OSError as error:
            return error
        return None

    def _connected(self) -> socket.socket:
        own = (self.source, 0) if self.source else None
        return socket.create_connection((self.address, self.port), self.timeout, own)

    def send(self, message: Message, *, trusting: bool = False) -> Answer:
        """One request and its answer. `trusting` looks at no certificate: where what has to fail is something else."""
        try:
            line = self._connected()
        except OSError as error:
            return Answer(0, error=f"no connection to {self.address}:{self.port}: {error}")
        try:
            if message.tls != "none":
                line = self._context(message, trusting).wrap_socket(line, server_hostname=message.server_name)
            return _exchange(line, message)
        except ssl.SSLCertVerificationError as error:
            return Answer(0, error=f"its certificate is not accepted: {error.verify_message}")
        except TimeoutError:
            return Answer(0, error=f"no answer in {self.timeout:g} s")
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, error=f"closed: {str(error) or type(error).__name__}")
        finally:
            line.close()

    def _context(self, message: Message, trusting: bool) -> ssl.SSLContext:
        if trusting:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        else:
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        version = ssl.TLSVersion.TLSv1_2 if message.tls == "1.2" else ssl.TLSVersion.TLSv1_3
        context.minimum_version = context.maximum_version = version
        return context


def _exchange(line: socket.socket, message: Message) -> Answer:
    """Send and receive. An answer that comes while the body is still being sent is an answer all the same."""
    broken: OSError | None = None
    try:
        line.sendall(_head(message) + message.body)
    except TimeoutError:
        raise
    except OSError as error:
        broken = error
    answer = http.client.HTTPResponse(line, method=message.method)
    try:
        answer.begin()
        body = answer.read(MOST_BODY).decode(errors="replace")
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException) as error:
        raise broken or error from None
    headers = tuple((key.lower(), value) for key, value in answer.getheaders())
    return Answer(answer.status, dict(headers).get(REQUEST_ID, ""), body, headers=headers)


def _head(message: Message) -> bytes:
    lines = [f"{message.method} {message.target} HTTP/1.1", f"host: {message.host}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in message.headers]
    if message.body or message.method in ("POST", "PUT", "PATCH"):
        lines.append(f"content-length: {len(message.body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()  # what is no ASCII goes as it is (RFC 9110 section 5.5, obs-text)


def unthrottled(send: Callable[[], Answer], *, patience: float = PATIENCE) -> Answer:
    """An answer that is not about how often: whoever is throttled waits as long as is asked of them."""
    deadline = time.monotonic() + patience
    while True:
        answer = send()
        pause = _seconds(answer.header("retry-after"))
        if answer.status != THROTTLED or time.monotonic() + pause > deadline:
            return answer
        time.sleep(pause)


def _seconds(text: str) -> float:
    return float(text) if text.isdigit() and int(text) else 1.0
