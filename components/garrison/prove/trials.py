"""The words of the proof at the edge: what is tried there and with which token, and which answer has to come.

Expectation (`expect.edge`), execution (`look.entry`) and judgement (`judge.entry`) share these values only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Literal

from garrison.model.conditions import Alternatives
from garrison.model.rates import Rate
from garrison.model.routes import Route
from garrison.words import Ref

EdgeLayer = Literal["entry", "token", "claims", "limit", "contract"]
Place = Literal["edge", "sidecar", "misled", "pod", "service"]
"""Where the request goes. All but the first are behind the edge; `misled` is a copy for which the edge's name leads to
somebody else, so that its sidecar gets no issuer's keys."""
Carry = Literal["bearer", "none", "twice", "basic", "query", "cookie", "session"]
Claim = str | float | tuple[str, ...]
Fit = Literal["holds", "fails", "free"]


class Try(StrEnum):
    """What is tried, in the word of the report. Cuts of the drill are joined to trials by these, never by text."""

    WELL_FORMED = "well-formed request"
    # who says it
    NO_TOKEN = "no token"  # noqa: S105 a name, no password
    MALFORMED = "malformed token"
    EXPIRED = "expired token"
    NOT_YET = "token not yet valid"
    WRONG_ISSUER = "token of the key, wrong issuer"
    FOREIGN_ISSUER = "token of another issuer"
    WRONG_AUDIENCE = "token for another audience"
    FOREIGN_KEY = "token signed with another key"
    NO_ALGORITHM = "token with alg none"
    PUBLIC_KEY_AS_SECRET = "token with HS256 and the public key"  # noqa: S105
    UNKNOWN_KEY = "token with an unknown kid"
    EMBEDDED_KEY = "token with its own key in it"
    KEY_BY_URL = "token that says where its key is"
    REMOVED_KEY = "token of a removed key"
    NO_EXPIRY = "token without an end"
    NO_KEYS = "token whose issuer's keys cannot be had"
    TAKEN_BACK = "token that was taken back"  # of which the issuer, asked about it, says that it is not active
    # what they may do
    NO_GROUP = "token without the group"
    SCOPE_FOR_GROUP = "undeclared scope instead of the group"
    WRONG_CLAIM = "condition that does not hold"
    # how it is brought
    TWO_AUTHORIZATIONS = "two Authorization headers"
    BASIC_THEN_BEARER = "Authorization: Basic x, Bearer"
    IN_QUERY = "token in the query"
    IN_COOKIE = "token in a cookie"
    NO_SESSION = "no session"
    FALSE_SESSION = "session that nobody gave"
    OTHER_HOST = "another host's token or session"
    # where to
    UNDECLARED_PATH = "undeclared path"
    UNDECLARED_METHOD = "undeclared method"
    OTHER_NAME = "Host of another name"
    NO_SUCH_NAME = "server name of no host"
    PLAIN_HTTP = "plain HTTP"
    OLD_TLS = "TLS 1.2"
    # what is in it
    OVERSIZE = "oversize body"
    LONG_HEADER = "oversize header"
    NOT_JSON = "body that is not JSON"
    CONTENT_TYPE = "wrong content type"
    BODY_SCHEMA = "body against its schema"
    PARAMETER = "parameter against its schema"
    # how often
    LIMIT = "over the limit"
    # around the edge
    AROUND = "around the edge"


LAYER: Final[Mapping[Try, EdgeLayer]] = MappingProxyType(
    {
        **dict.fromkeys((Try.NO_GROUP, Try.SCOPE_FOR_GROUP, Try.WRONG_CLAIM), "claims"),
        **dict.fromkeys(
            (
                Try.UNDECLARED_PATH,
                Try.UNDECLARED_METHOD,
                Try.OTHER_NAME,
                Try.NO_SUCH_NAME,
                Try.PLAIN_HTTP,
                Try.OLD_TLS,
                Try.OVERSIZE,
                Try.LONG_HEADER,
                Try.AROUND,
            ),
            "entry",
        ),
        **dict.fromkeys((Try.NOT_JSON, Try.CONTENT_TYPE, Try.BODY_SCHEMA, Try.PARAMETER), "contract"),
        Try.LIMIT: "limit",
    }
)
"""Which protection refuses it, where that is not the token rule."""

CLOSED: Final = 0  # no answer at all: the connection was refused, or closed on what was sent
STATUSES: Final[Mapping[Try, frozenset[int]]] = MappingProxyType(
    {
        Try.WRONG_AUDIENCE: frozenset({403}),  # so says Envoy's jwt_authn; RBAC's exact match says the same
        Try.NO_GROUP: frozenset({403}),
        Try.SCOPE_FOR_GROUP: frozenset({403}),
        Try.WRONG_CLAIM: frozenset({403}),
        Try.UNDECLARED_PATH: frozenset({404}),
        Try.UNDECLARED_METHOD: frozenset({405}),
        Try.OTHER_NAME: frozenset({421}),  # Misdirected Request (RFC 9110, 15.5.20): a 404 may be of what stands behind
        Try.NO_SUCH_NAME: frozenset({CLOSED}),
        Try.PLAIN_HTTP: frozenset({CLOSED}),
        Try.OLD_TLS: frozenset({CLOSED}),
        Try.OVERSIZE: frozenset({413}),
        Try.LONG_HEADER: frozenset({431}),
        Try.NOT_JSON: frozenset({400}),
        Try.CONTENT_TYPE: frozenset({415}),
        Try.BODY_SCHEMA: frozenset({422}),
        Try.PARAMETER: frozenset({400, 422}),
        Try.LIMIT: frozenset({429}),
        Try.AROUND: frozenset({CLOSED}),
    }
)
"""The answers that refuse it, where that is not 401 Unauthorized."""
UNAUTHORIZED: Final = frozenset({401})
TO_LOGIN: Final = frozenset({302, 401})  # a host where browsers log in sends them there, and says 401 to scripts


@dataclass(frozen=True, order=True)
class Want:
    """A token to be had: whose, for whom, with which groups and claims; and what is wrong with it."""

    issuer: str
    host: str
    groups: tuple[str, ...] = ()
    claims: tuple[tuple[str, Claim], ...] = ()
    flaw: Try = Try.WELL_FORMED
    person: str = ""
    """Tokens of the same person count together against a limit; empty for whoever is at hand."""
    scope: str = ""
    without: str = ""
    """A group that the person is not in."""
    where: Alternatives = ()
    """The route's condition: some request of the bearer has to be as `fit` says."""
    fit: Fit = "free"


@dataclass(frozen=True)
class Ticket:
    """A token as text and what it says; in place of it, where a browser logs in, the cookies of a session."""

    text: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    cookies: str = ""
    since: float = 0.0
    """Unix time from which it is what it was wanted for: an expired token is had before it has expired."""


@dataclass(frozen=True)
class Shape:
    """A request as it is written down: what of it comes from the token is filled in when there is one."""

    method: str
    path: str  # with `{name}` where `variables` or a condition say what is there
    variables: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    carry: Carry = "none"
    host: str = ""  # as the request says it; empty for the trial's own
    server_name: str = ""  # as TLS says it; empty for the trial's own
    tls: Literal["1.3", "1.2", "none"] = "1.3"
    fit: Fit = "free"  # how the request has to stand to the route's condition

    def but(self, **changes: Any) -> Shape:
        return replace(self, **changes)


@dataclass(frozen=True)
class Trial:
    """One request at the edge, or behind it, and what has to come of it: with no `statuses` it must pass."""

    route: Route
    kind: Try
    shape: Shape
    want: Want | None = None
    statuses: frozenset[int] = frozenset()
    detail: str = ""
    place: Place = "edge"
    rate: Rate | None = None

    @property
    def host(self) -> str:
        return self.route.host

    @property
    def service(self) -> Ref:
        return self.route.service

    @property
    def where(self) -> Alternatives:
        return self.route.where

    @property
    def layer(self) -> EdgeLayer | None:
        return LAYER.get(self.kind, "token") if self.statuses else None

    @property
    def label(self) -> str:
        return f"{self.kind}: {self.detail}" if self.detail else str(self.kind)


@dataclass(frozen=True)
class Untried:
    """A trial that is not made, and why: never a pass."""

    trial: Trial
    why: str

    def __str__(self) -> str:
        return f"{self.trial.host} {self.trial.route.operation} ({self.trial.label}): not tried: {self.why}"


@dataclass(frozen=True)
class Answer:
    """What came back: `status` 0 where nothing did, and then why."""

    status: int
    request_id: str = ""
    body: str = ""
    error: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    passed: int = 0
    """Of a trial of a limit: how many requests had passed before."""

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")
