"""Who is asking, and under which ids: known to every line of code that serves the request.

The request id is this request's alone, given by the own proxy. The correlation id is what the first caller named the
whole thing; it is passed on, and joins the logs of all who took part.
"""

from __future__ import annotations

import base64
import json
import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

request_id: ContextVar[str] = ContextVar("request_id", default="")
correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
caller: ContextVar[str] = ContextVar("caller", default="")
authorization: ContextVar[str] = ContextVar("authorization", default="")
"""The user's token itself: there only where the own proxy lets it through, for calls that forward it."""


@dataclass(frozen=True)
class Asked:
    """The request as it came: its path and query as they were written, and what its verified token says."""

    path: str = ""
    query: str = ""
    claims: dict[str, Any] = field(default_factory=dict)


asked: ContextVar[Asked] = ContextVar("asked")

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,128}")
_IDENTITY = re.compile(r"(?:^|;)URI=(spiffe://[A-Za-z0-9._/-]+)(?:;|$)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')


def accepted_request_id(given: str) -> str:
    """The id the caller sent, or a fresh one when there is none or it could forge log lines."""
    return given if _ACCEPTABLE.fullmatch(given) else str(uuid4())


def identity(forwarded_client_cert: str) -> str:
    """The SPIFFE id in the header that this service's own proxy sets after checking the peer."""
    # A quoted field (a subject) is text from the certificate: whatever it says is no identity.
    found = _IDENTITY.search(_QUOTED.sub("", forwarded_client_cert))
    return found[1] if found else ""


def verified(header: str) -> dict[str, Any]:
    """The claims in the header that this service's own proxy sets after verifying a token; none where it set none."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def request() -> Asked:
    """The request that is served here; an empty one where none is."""
    return asked.get(None) or Asked()


def subject() -> str:
    """Whose token came with the request; empty where none did."""
    return _claim("sub")


def issuer() -> str:
    """Who says so."""
    return _claim("iss")


def own(key: str) -> str:
    """A key that is the user's alone: with another's, nobody is given that user's answer."""
    return f"{issuer()} {subject()}/{key}" if subject() else key


def owner() -> dict[str, str]:
    """Whose is what is made by this request, as rules ask for it; nobody's where no token came."""
    return {"subject": subject(), "issuer": issuer()} if subject() else {}


def _claim(name: str) -> str:
    value = request().claims.get(name)
    return value if isinstance(value, str) else ""
