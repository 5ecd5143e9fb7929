"""Tokens that nobody may accept, made of a good one as an attacker would: with a key of our own, or with none.

The key is made anew for each run, by arithmetic alone (RFC 8017): it protects nothing, so it takes no library.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from garrison.prove.trials import Try

BITS: Final = 2048
EXPONENT: Final = 65537
SHA256: Final = bytes.fromhex("3031300d060960864801650304020105000420")  # DigestInfo (RFC 8017, section 9.2, note 1)
RSA_ENCRYPTION: Final = bytes.fromhex("300d06092a864886f70d0101010500")  # AlgorithmIdentifier (RFC 8017, appendix A.1)
FOREIGN_ISSUER: Final = "https://issuer.garrison-probe.example"
NOBODYS_KEYS: Final = f"{FOREIGN_ISSUER}/keys"
FORGED: Final = (  # flaws that take no key of the issuer
    Try.MALFORMED,
    Try.FOREIGN_ISSUER,
    Try.FOREIGN_KEY,
    Try.NO_ALGORITHM,
    Try.PUBLIC_KEY_AS_SECRET,
    Try.UNKNOWN_KEY,
    Try.EMBEDDED_KEY,
    Try.KEY_BY_URL,
)
Json = dict[str, Any]


@dataclass(frozen=True)
class Key:
    """An RSA key: its modulus and private exponent."""

    modulus: int
    private: int

    @classmethod
    def fresh(cls) -> Key:
        while True:
            p, q = _prime(BITS // 2), _prime(BITS // 2)
            totient = (p - 1) * (q - 1)
            if p != q and totient % EXPONENT:
                return cls(p * q, pow(EXPONENT, -1, totient))

    @cached_property
    def jwk(self) -> dict[str, str]:
        number = self.modulus.to_bytes(self.modulus.bit_length() // 8, "big")
        return {"kty": "RSA", "alg": "RS256", "use": "sig", "n": encode(number), "e": "AQAB", "kid": "garrison-probe"}

    def sign(self, header: Mapping[str, Any], payload: Mapping[str, Any]) -> str:
        """A JWS with RS256 (RFC 7515, RFC 8017 section 8.2)."""
        signed = f"{_part(header)}.{_part(payload)}"
        size = self.modulus.bit_length() // 8
        digest = SHA256 + hashlib.sha256(signed.encode()).digest()
        padded = b"\x00\x01" + b"\xff" * (size - len(digest) - 3) + b"\x00" + digest
        signature = pow(int.from_bytes(padded, "big"), self.private, self.modulus)
        return f"{signed}.{encode(signature.to_bytes(size, 'big'))}"


def forged(flaw: Try, good: str, key: Key, jwk: Mapping[str, str] | None) -> str | None:
    """The token with that flaw; `jwk` is the issuer's public key of it. None where that key would be needed and is not
    known, or the issuer's private one would.
    """
    header, payload = decoded(good)
    match flaw:
        case Try.MALFORMED:
            return good.rpartition(".")[0]
        case Try.FOREIGN_ISSUER:
            return key.sign(_header(key), {**payload, "iss": FOREIGN_ISSUER})
        case Try.FOREIGN_KEY:
            return key.sign({**header, "alg": "RS256"}, payload)
        case Try.UNKNOWN_KEY:
            return key.sign(_header(key), payload)
        case Try.EMBEDDED_KEY:
            return key.sign({**_header(key), "jwk": key.jwk}, payload)
        case Try.KEY_BY_URL:
            return key.sign({**_header(key), "jku": NOBODYS_KEYS, "x5u": NOBODYS_KEYS}, payload)
        case Try.NO_ALGORITHM:
            return f"{_part({**header, 'alg': 'none'})}.{_part(payload)}."
        case Try.PUBLIC_KEY_AS_SECRET:
            return _as_secret(header, payload, jwk) if jwk and jwk.get("kty") == "RSA" else None
        case _:
            return None


def decoded(token: str) -> tuple[Json, Json]:
    """Header and payload of a token, unverified: it is ours."""
    head, payload, _ = token.split(".")
    return json.loads(_bytes(head)), json.loads(_bytes(payload))


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public_pem(jwk: Mapping[str, str]) -> bytes:
    """SubjectPublicKeyInfo (RFC 5280) of an RSA key, as every library writes it."""
    numbers = _der(0x30, _integer(_bytes(jwk["n"])) + _integer(_bytes(jwk["e"])))
    info = _der(0x30, RSA_ENCRYPTION + _der(0x03, b"\x00" + numbers))
    text = base64.b64encode(info).decode()
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""]).encode()


def _as_secret(header: Json, payload: Json, jwk: Mapping[str, str]) -> str:
    """What a verifier accepts that takes the algorithm from the token and its own public key for a secret."""
    signed = f"{_part({**header, 'alg': 'HS256'})}.{_part(payload)}"
    return f"{signed}.{encode(hmac.digest(public_pem(jwk), signed.encode(), 'sha256'))}"


def _header(key: Key) -> Json:
    return {"alg": "RS256", "typ": "JWT", "kid": key.jwk["kid"]}


def _part(content: Mapping[str, Any]) -> str:
    return encode(json.dumps(content, separators=(",", ":")).encode())


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _integer(data: bytes) -> bytes:
    return _der(0x02, (b"\x00" if data[0] & 0x80 else b"") + data)


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _prime(bits: int) -> int:
    while True:
        candidate = secrets.randbits(bits) | 3 << (bits - 2) | 1
        if all(candidate % small for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)) and _probably(candidate):
            return candidate


def _probably(candidate: int, rounds: int = 24) -> bool:
    """Miller and Rabin."""
    odd = candidate - 1
    twos = (odd & -odd).bit_length() - 1
    odd >>= twos
    for _ in range(rounds):
        x = pow(secrets.randbelow(candidate - 3) + 2, odd, candidate)
        if x in (1, candidate - 1):
            continue
        if not any((x := x * x % candidate) == candidate - 1 for _ in range(twos - 1)):
            return False
    return True
