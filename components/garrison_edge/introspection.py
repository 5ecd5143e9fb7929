"""Opaque tokens (RFC 7662): asks their issuer whether a token is active, and tells the proxy whose it is.

Off unless configured. An active token is remembered for at most `cache` seconds (0 to 30; 0, the default, asks each
time, so that a revoked token is refused at once) and never past its own end; one that is not active for 5 seconds.
Tokens are kept as SHA-256 alone. Whatever goes wrong at the issuer is a refusal, and is not remembered.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import http.client
import json
import re
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote_plus, urlencode, urlsplit

from garrison_edge import log, payload, strict
from garrison_edge.contract import Request
from garrison_edge.problem import Refused, unavailable

PREFIX: Final = "/introspect"
"""Then the issuer's name: before the path of a request whose token is asked about (ext_authz, `path_prefix`)."""
CLAIMS: Final = "x-introspected-claims"
"""For the service: base64url of JSON, as the payload of a token is written (RFC 7515)."""
PAYLOAD: Final = "x-introspected-payload"
"""For the proxy's own rules (payload.py)."""
SYSTEM: Final = "/etc/ssl/certs/ca-certificates.crt"
MOST_SECONDS: Final = 30
REFUSED_SECONDS: Final = 5
ENTRIES: Final = 10_000
SECONDS: Final = 2.0
"""For one question to the issuer."""
AT_ONCE: Final = 32
"""Questions under way; more wait, as long as the proxy does."""
ANSWER: Final = 64 * 1024
_BEARER = re.compile(r"Bearer ([-A-Za-z0-9._~+/]{1,4096}=*)")
Ask = Callable[[str], tuple[int, bytes]]
Claims = dict[str, Any]


@dataclass(frozen=True)
class Issuer:
    """Whom to ask; the client's secret is read from its file each time, because it changes."""

    endpoint: str
    client: str
    secret: Path
    issuer: str
    audiences: tuple[str, ...]
    ca: str = ""
    """Who vouches for its certificate, as PEM; empty for whoever the system trusts."""
    cache: int = 0

    @classmethod
    def read(cls, file: Path) -> dict[str, Issuer]:
        """By name, from a JSON file; raises ValueError for any other."""
        said = strict.loads(file.read_bytes())
        try:
            return {name: cls._of(name, fields) for name, fields in said.items()}
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"{file.name} is not the configuration of an introspection: {error}") from None

    @classmethod
    def _of(cls, name: str, said: Mapping[str, Any]) -> Issuer:
        fields = {**said, "secret": Path(said["secret"]), "audiences": tuple(said["audiences"])}
        made = cls(**fields)
        if urlsplit(made.endpoint).scheme != "https" or not made.audiences or not 0 <= made.cache <= MOST_SECONDS:
            raise ValueError(f"{name}: https, an audience, and a cache of 0 to {MOST_SECONDS} seconds are needed")
        return made

    def ask(self, token: str) -> tuple[int, bytes]:
        """Status and body of the answer (RFC 7662, section 2.1); the client authenticates by RFC 6749, 2.3.1."""
        place = urlsplit(self.endpoint)
        trust = ssl.create_default_context(cadata=self.ca or None, cafile=None if self.ca else SYSTEM)
        trust.minimum_version = ssl.TLSVersion.TLSv1_2
        line = http.client.HTTPSConnection(place.hostname or "", place.port or 443, timeout=SECONDS, context=trust)
        pair = f"{quote_plus(self.client)}:{quote_plus(self.secret.read_text().strip())}"
        headers = {
            "authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
            "content-type": "application/x-www-form-urlencoded",
            "accept": "application/json",
        }
        try:
            line.request("POST", place.path, urlencode({"token": token, "token_type_hint": "access_token"}), headers)
            answer = line.getresponse()
            return answer.status, answer.read(ANSWER + 1)
        finally:
            line.close()


class Introspection:
    def __init__(self, issuer: Issuer, ask: Ask | None = None, now: Callable[[], float] = time.time) -> None:
        self.issuer, self.now, self._ask = issuer, now, ask or issuer.ask
        self._known: OrderedDict[bytes, tuple[float, Claims | None]] = OrderedDict()
        self._places = ThreadPoolExecutor(AT_ONCE, "introspection")

    async def judge(self, request: Request) -> tuple[tuple[str, str], ...]:
        """The headers that tell the claims of an active token; raises Refused for any other."""
        found = _BEARER.fullmatch(request.header("authorization"))
        if not found:
            raise Refused(HTTPStatus.UNAUTHORIZED, "no-token", "a bearer token is needed")
        claims = await self._claims(found[1])
        if claims is None:
            raise Refused(HTTPStatus.UNAUTHORIZED, "token-not-active", "the token is not active")
        text = json.dumps(claims, separators=(",", ":")).encode()
        told = payload.written(claims)
        if len(told) > payload.MOST:
            log.line("alert", problem=f"the issuer says more of a token than the proxy takes: {len(told)} letters")
            raise unavailable()
        return (CLAIMS, base64.urlsafe_b64encode(text).decode().rstrip("=")), (PAYLOAD, told)

    async def _claims(self, token: str) -> Claims | None:
        key = hashlib.sha256(token.encode()).digest()
        until, claims = self._known.get(key, (0.0, None))
        if self.now() < until:
            return claims
        try:
            status, body = await asyncio.get_running_loop().run_in_executor(self._places, self._ask, token)
            said = strict.loads(body)
        except (OSError, ValueError, http.client.HTTPException) as error:
            log.line("alert", problem=f"the issuer cannot be asked about a token: {type(error).__name__}")
            raise unavailable() from None
        if status != HTTPStatus.OK or not isinstance(said, dict) or not isinstance(said.get("active"), bool):
            raise unavailable()
        if "sub" not in said and "client_id" in said:  # a client of its own account is its own subject (RFC 9068, 2.2)
            said["sub"] = said["client_id"]
        claims = said if self._holds(said) else None
        self._keep(key, claims)
        return claims

    def _holds(self, said: Claims) -> bool:
        """Active, of this issuer, for us, by somebody, and not over."""
        audience = said.get("aud")
        among = audience if isinstance(audience, list) else [audience]
        return (
            said["active"]
            and said.get("iss") == self.issuer.issuer
            and any(one in self.issuer.audiences for one in among)
            and isinstance(said.get("sub"), str)
            and type(said.get("exp")) is int
            and said["exp"] > self.now()
        )

    def _keep(self, key: bytes, claims: Claims | None) -> None:
        now = self.now()
        until = min(claims["exp"], now + self.issuer.cache) if claims else now + REFUSED_SECONDS
        self._known.pop(key, None)
        if until > now:
            self._known[key] = until, claims
        while len(self._known) > ENTRIES:
            self._known.popitem(last=False)
