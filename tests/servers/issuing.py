"""An issuer for tests: keys of its own, tokens of every kind, and its key set behind TLS."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value: Any) -> str:
    return text(json.dumps(value).encode())


@dataclass
class Signer:
    """RSA keys, the last of which signs; all are published."""

    issuer: str
    audience: str
    keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)

    def rotate(self) -> str:
        name = f"key-{len(self.keys)}"
        self.keys[name] = rsa.generate_private_key(65537, 2048)
        return name

    def jwks(self) -> bytes:
        numbers = {kid: key.public_key().public_numbers() for kid, key in self.keys.items()}
        rows = [
            {"kty": "RSA", "alg": "RS256", "use": "sig", "kid": kid, "n": _number(n.n), "e": _number(n.e)}
            for kid, n in numbers.items()
        ]
        return json.dumps({"keys": rows}).encode()

    def token(self, subject: str = "alice", *, header: Any = None, without: tuple[str, ...] = (), **claims: Any) -> str:
        kid, key = list(self.keys.items())[-1]
        now = int(time.time())
        said = {"iss": self.issuer, "aud": self.audience, "sub": subject, "iat": now, "exp": now + 600, **claims}
        payload = {name: value for name, value in said.items() if name not in without}
        signed = f"{part({'alg': 'RS256', 'kid': kid, 'typ': 'JWT', **(header or {})})}.{part(payload)}"
        return f"{signed}.{text(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def forged(self, algorithm: str, **claims: Any) -> str:
        """Without a signature, or with one that is made with what everybody knows: the public key."""
        now = int(time.time())
        payload = {"iss": self.issuer, "aud": self.audience, "sub": "mallory", "exp": now + 600, **claims}
        signed = f"{part({'alg': algorithm, 'kid': list(self.keys)[-1]})}.{part(payload)}"
        mac = hmac.new(self.jwks(), signed.encode(), hashlib.sha256).digest() if algorithm == "HS256" else b""
        return f"{signed}.{text(mac)}"


def _number(value: int) -> str:
    return text(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def published(signer: Signer, identity: Path) -> http.server.ThreadingHTTPServer:
    """The key set at any path, behind TLS with that certificate; `asked` counts how often."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            asked.append(self.path)
            body = signer.jwks()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 the name http.server looks for

        def log_message(self, *args: object) -> None:
            """Quiet."""

    asked: list[str] = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = asked  # type: ignore[attr-defined]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(identity / "tls.crt", identity / "tls.key")
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
