"""The issuer's door for programs: bounded requests over verified TLS, to one address under one name."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from garrison.errors import GarrisonError

TIMEOUT: Final = 15.0  # seconds of each step
MAX_ANSWER: Final = 262_144  # bytes: a discovery document has some 3,000


class DoorError(GarrisonError):
    """The issuer cannot be reached, or said no: one line."""


@dataclass(frozen=True)
class Door:
    """`https://HOST[:PORT]`, reached there or at the `edge` address, whose certificate is for HOST all the same."""

    url: str
    edge: str | None = None
    ca: Path | None = None
    """PEM of the CA; None is what this machine trusts."""

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> tuple[int, Any]:
        """The status, and the JSON that came with it; None where it was none."""
        name, (address, port) = _place(self.url)[0], _place(self.edge or self.url)
        headers = {"host": urlsplit(self.url).netloc, "accept": "application/json"}
        headers |= {"x-vault-token": token} if token else {}
        sent = None if body is None else json.dumps(body).encode()
        try:
            with socket.create_connection((address, port), TIMEOUT) as plain:
                line = http.client.HTTPConnection(name, port, timeout=TIMEOUT)
                line.sock = self._context().wrap_socket(plain, server_hostname=name)
                with line.sock:
                    line.request(method, path, sent, headers)
                    answer = line.getresponse()
                    return answer.status, _json(answer.read(MAX_ANSWER + 1))
        except ssl.SSLCertVerificationError as error:
            raise DoorError(
                f"{self.url}: its certificate is not accepted ({error.verify_message}); give --ca"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise DoorError(f"{self.url}: {error or type(error).__name__}") from None

    def _context(self) -> ssl.SSLContext:
        try:
            made = ssl.create_default_context(cafile=self.ca)
        except (OSError, ssl.SSLError):
            raise DoorError(f"{self.ca}: no certificates to be read there; give the PEM file of the CA") from None
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        return made


def _json(data: bytes) -> Any:
    if len(data) > MAX_ANSWER:
        raise DoorError(f"an answer of more than {MAX_ANSWER:,} bytes")
    try:
        return json.loads(data)
    except ValueError:
        return None


def _place(url: str) -> tuple[str, int]:
    """Host and port; only https is spoken."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError:
        raise DoorError(f"{url!r} is no URL; write https://HOST or https://HOST:PORT") from None
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
        raise DoorError(f"{url!r} is refused; write https://HOST or https://HOST:PORT")
    return parts.hostname, port
