"""The provider's API over HTTPS: who has the merchant's key may charge, refund, and look a charge up.

    POST /v1/charges                 {"reference", "amount", "currency"}    201, or 402 when the card is no good
    POST /v1/refunds                 {"charge", "amount", "currency"}       201
    GET  /v1/charges/{id}            one charge
    GET  /v1/charges?reference=NAME  all that the merchant calls so

The key itself is nowhere here: a file has its SHA-256, as providers keep it. While there is none, nobody is known.
"""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import ssl
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from common.limits import MAX_BODY
from common.log import logger
from provider.account import Account, Refused

SECONDS = 30.0  # of silence on a connection


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "provider", ""
    timeout = SECONDS
    wbufsize = -1  # an answer is one write: two would wait for each other (Nagle's algorithm)
    server: Provider

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        try:
            body = self._body()  # read before anything is refused: the connection goes on
            self._known()
            status, document = self._done(body)
        except Refused as refused:
            status, document = refused.status, {"status": refused.status, "detail": refused.detail}
        said = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def _known(self) -> None:
        """Whoever has the key."""
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        mine = hashlib.sha256(key.strip().encode()).hexdigest()
        known = self.server.fingerprint()
        if not known or scheme != "Bearer" or not hmac.compare_digest(mine, known):
            raise Refused(401, "no key of a merchant")

    def _done(self, body: dict[str, Any]) -> tuple[int, Any]:
        account, asked = self.server.account, urlsplit(self.path)
        key = self.headers.get("idempotency-key", "")
        match self.command, asked.path.split("/")[1:]:
            case "POST", ["v1", "charges"]:
                return 201, account.charge(key, body)
            case "POST", ["v1", "refunds"]:
                return 201, account.refund(key, body)
            case "GET", ["v1", "charges"]:
                return 200, account.of(parse_qs(asked.query).get("reference", [""])[0])
            case "GET", ["v1", "charges", id]:
                return 200, account.find(id)
        raise Refused(404, "there is no such operation")

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("content-length", "0")
        if "transfer-encoding" in self.headers or not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            raise Refused(413, f"a body says its length, and has at most {MAX_BODY} bytes")
        text = self.rfile.read(int(length))
        if self.command == "GET":
            return {}
        try:
            body = json.loads(text)
        except (ValueError, RecursionError):
            body = None
        return body if isinstance(body, dict) else {}  # and then lacks what it has to say

    def log_message(self, format: str, *args: object) -> None:
        """Nothing of http.server's own: it would print what was sent."""

    def log_request(self, code: int | str = "-", _: int | str = "-") -> None:
        """A line a request, without bodies, queries and keys."""
        fields = {"method": self.command, "path": urlsplit(self.path).path, "status": int(code)}
        logger.info("request", extra={"fields": fields})


class Provider(http.server.ThreadingHTTPServer):
    """Listens at `address`, in TLS where there is a context for it."""

    daemon_threads = True

    def __init__(
        self, address: tuple[str, int], account: Account, keys: Path, tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(address, Handler)
        self.account = account
        self._keys = keys
        if tls:  # the handshake comes with the first read, in the connection's own thread
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def fingerprint(self) -> str:
        """Of the key that counts now, read anew: it may come later, and change."""
        try:
            return self._keys.read_text().strip()
        except OSError:
            return ""

    def handle_error(self, *_: object) -> None:
        """A connection that failed is one line."""
        logger.info("connection ended: %s", type(sys.exc_info()[1]).__name__)
