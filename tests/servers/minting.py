"""An issuer's keys and tokens (RFC 7515, 7517, 7519), made by hand, so that each can be wrong in its own way."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

Json = dict[str, Any]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value: Json) -> str:
    return b64(json.dumps(value).encode())


@dataclass(frozen=True)
class Key:
    kid: str
    private: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))

    @property
    def jwk(self) -> Json:
        numbers = self.private.public_key().public_numbers()
        n, e = (b64(number.to_bytes((number.bit_length() + 7) // 8)) for number in (numbers.n, numbers.e))
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid, "n": n, "e": e}

    @property
    def pem(self) -> bytes:
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(serialization.Encoding.PEM, form)

    def sign(self, claims: Json, **header: Any) -> str:
        """A token; `header` adds to its header, and None takes out of it."""
        said = {"alg": "RS256", "kid": self.kid, "typ": "JWT"} | header
        signed = f"{part({k: v for k, v in said.items() if v is not None})}.{part(claims)}"
        return f"{signed}.{b64(self.private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def confused(self, claims: Json) -> str:
        """HS256 with the public key as its secret, for a verifier that lets the token say how it is verified."""
        signed = f"{part({'alg': 'HS256', 'kid': self.kid})}.{part(claims)}"
        return f"{signed}.{b64(hmac.digest(self.pem, signed.encode(), hashlib.sha256))}"


def claims(issuer: str, audience: str, **more: Any) -> Json:
    """A good token's, for a minute; `more` changes them, and None leaves one out."""
    now = int(time.time())
    said = {"iss": issuer, "aud": audience, "sub": "u-1", "iat": now, "exp": now + 60, "groups": ["customers"]} | more
    return {name: value for name, value in said.items() if value is not None}


@dataclass
class KeySets:
    """What the edge serves to sidecars: the key set of each verifier, and how often it was asked."""

    port: int = 0
    sets: dict[str, list[Key]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False


@contextmanager
def key_sets(identity: Path) -> Iterator[KeySets]:
    """A server of key sets over mutual TLS, with the certificate in this folder."""
    served = KeySets()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            served.asked.append(self.path)
            keys = served.sets.get(self.path.removeprefix("/keys/"), [])
            body = json.dumps({"keys": [key.jwk for key in keys]}).encode()
            self.send_response(503 if served.away else 200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(identity / "tls.crt", identity / "tls.key")
    context.load_verify_locations(identity / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    served.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
