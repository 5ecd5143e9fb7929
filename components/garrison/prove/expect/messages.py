"""A trial and its token made into one request, byte for byte. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from garrison.prove.expect.edge import SELF
from garrison.prove.expect.fits import Bound, against, filled, proxied, solve
from garrison.prove.trials import Shape, Ticket, Trial

QUERY_SAFE = "-._~!$'()*,:@/"  # as the edge wants queries: nothing encoded that need not be


@dataclass(frozen=True)
class Message:
    """What is sent: over TLS to `server_name`, for `host`, with these lines."""

    method: str
    target: str
    host: str
    server_name: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    tls: str


class CannotFitError(ValueError):
    """With this token there is no such request."""


def compose(trial: Trial, ticket: Ticket | None, port: int = 443) -> Message:
    """The request of a trial; raises CannotFitError where no request of this bearer is what the trial asks for."""
    shape, ticket = trial.shape, ticket or Ticket()
    bound = _bound(trial, ticket.payload)
    path = filled(shape.path, {k: quote(v, safe="-._~!$&'()*+,=:@") for k, v in bound.path.items()})
    query = {**dict(shape.query), **bound.query, **({"access_token": ticket.text} if shape.carry == "query" else {})}
    target = f"{path}?{urlencode(query, safe=QUERY_SAFE, quote_via=quote)}" if query else path
    host = shape.host or trial.host
    host = host if port == 443 else f"{host}:{port}"
    origin = f"https://{host}"
    headers = tuple((k, origin if v == SELF else v) for k, v in shape.headers)
    name = shape.server_name or trial.host
    return Message(shape.method, target, host, name, (*headers, *_credentials(shape, ticket)), shape.body, shape.tls)


def _credentials(shape: Shape, ticket: Ticket) -> tuple[tuple[str, str], ...]:
    bearer = ("authorization", f"Bearer {ticket.text}")
    return {
        "bearer": (bearer,),
        "twice": (bearer, ("authorization", "Bearer a.b.c")),
        "basic": (("authorization", f"Basic Z2FycmlzbzpwcmliZQ==, Bearer {ticket.text}"),),
        "cookie": (("cookie", f"access_token={ticket.text}; BearerToken={ticket.text}; IdToken={ticket.text}"),),
        "session": (("cookie", ticket.cookies),),
    }.get(shape.carry, ())


def _bound(trial: Trial, payload: Mapping[str, Any]) -> Bound:
    start = dict(trial.shape.variables)
    if trial.shape.fit == "free":
        return Bound(path=start)
    if trial.shape.carry == "session" and not payload:
        raise CannotFitError("only the edge sees which claims a session has")
    bound = (solve if trial.shape.fit == "holds" else against)(proxied(trial.where), payload)
    if bound is None:
        raise CannotFitError("no request of this token's bearer is such a one")
    return Bound(path={**start, **bound.path}, query=bound.query)
