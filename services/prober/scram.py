"""The client's half of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets


class Scram:
    """One exchange: `first()`, then `final()` with the server's challenge."""

    def __init__(self, password: str) -> None:
        self.password = password.encode()
        self.bare = f"n=,r={secrets.token_urlsafe(18)}"

    def first(self) -> bytes:
        return f"n,,{self.bare}".encode()

    def final(self, challenge: bytes) -> bytes:
        fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
        salt, rounds = base64.b64decode(fields["s"]), int(fields["i"])
        without_proof = f"c=biws,r={fields['r']}"
        salted = hashlib.pbkdf2_hmac("sha256", self.password, salt, rounds)
        key = _mac(salted, b"Client Key")
        signed = f"{self.bare},{challenge.decode()},{without_proof}".encode()
        signature = _mac(hashlib.sha256(key).digest(), signed)
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()


def _mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()
