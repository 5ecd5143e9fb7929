"""Tokens for trials: from the embedded issuer, for people that live as long as the run; or from a file.

What takes the issuer's own key is issued by it, or not had at all. Everything else is forged here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import tokens, users
from garrison.model.graph import Graph
from garrison.prove.expect.edge import claims_of
from garrison.prove.expect.fits import against, filled, solve
from garrison.prove.look.browser import log_in
from garrison.prove.look.entry import Entry
from garrison.prove.look.forge_tokens import FORGED, Key, decoded, forged
from garrison.prove.model import ProveError
from garrison.prove.trials import Claim, Ticket, Try, Want

GOOD: Final = "good"
NEEDS_KEY: Final = "the issuer's key is needed"
ROLES: Final = {  # of the embedded issuer: what tokens it gives people, and what is wrong with them
    Try.WELL_FORMED: users.API,
    Try.EXPIRED: users.EXPIRED,
    Try.NOT_YET: users.NOT_YET,
    Try.WRONG_AUDIENCE: users.ELSEWHERE,
}
SKEW: Final = 5.0 + 2.0  # what verifiers forgive (`clock_skew_seconds`), and a little for clocks that differ
FRESH: Final = d.USERS_TOKEN_SECONDS / 2  # seconds; the rest is for whoever then waits because of a limit
Keys = Sequence[Mapping[str, str]]


class NotHadError(ProveError):
    """Why there is no such token: the trial is then not tried, or tried again; neither is ever a pass."""


class Tokens(Protocol):
    """Where tokens come from."""

    def give(self, want: Want) -> Ticket:
        """A token as wanted; raises NotHadError."""

    def keys(self, issuer: str) -> Keys:
        """The public keys of an issuer (RFC 7517), as far as they are known."""


class Issuing(Protocol):
    """The embedded issuer, with people that are removed when the run ends (`deployment.vault.probing`)."""

    def person(self, groups: Sequence[str], claims: Mapping[str, str]) -> str:
        """Somebody new in these groups; raises LookupError where there can be no such person."""

    def ask(self, name: str, path: str) -> dict[str, Any]:
        """What the issuer answers to a GET of this person, or of nobody; raises LookupError where it refuses."""


@dataclass
class Forging:
    """Gives what another source has, and forges what an attacker could. A run outlasts a token: then it asks again."""

    source: Tokens
    key: Key = field(default_factory=Key.fresh)
    clock: Callable[[], float] = time.monotonic
    had: dict[Want, tuple[float, Ticket]] = field(default_factory=dict)

    def give(self, want: Want) -> Ticket:
        asked, ticket = self.had.get(want, (0.0, None))
        if ticket is None or (self.clock() - asked > FRESH and want.flaw != Try.EXPIRED):
            asked, ticket = self.clock(), self._forged(want) if want.flaw in FORGED else self.source.give(want)
            self.had[want] = asked, ticket
        return ticket

    def keys(self, issuer: str) -> Keys:
        return self.source.keys(issuer)

    def _forged(self, want: Want) -> Ticket:
        good = self.give(replace(want, flaw=Try.WELL_FORMED))
        if not _is_token(good.text):  # one that says nothing: all that can be done to it is to change it
            return Ticket(good.text[:-1], good.payload)
        kid = decoded(good.text)[0].get("kid")
        jwk = next((key for key in self.source.keys(want.issuer) if key.get("kid") == kid), None)
        text = forged(want.flaw, good.text, self.key, jwk)
        if text is None:
            raise NotHadError("the issuer's public key is needed, and is not known or no RSA key")
        return Ticket(text, good.payload)


@dataclass
class Embedded:
    """Tokens of the embedded issuer: each of somebody who is in these groups, and of whom these claims are kept."""

    graph: Graph
    cluster: Cluster
    issuing: Issuing
    entry: Entry
    people: dict[tuple[str, tuple[str, ...], tuple[tuple[str, Claim], ...]], str] = field(default_factory=dict)

    def give(self, want: Want) -> Ticket:
        host = next(host for host in self.graph.hosts if host.name == want.host)
        try:
            return self._session(want) if host.login else self._token(want)
        except LookupError as error:
            raise NotHadError(str(error)) from None

    def _token(self, want: Want) -> Ticket:
        if want.scope:
            raise NotHadError("the issuer gives nobody a token with a scope")
        if want.flaw not in ROLES:
            raise NotHadError(NEEDS_KEY)
        answer = self.issuing.ask(self._person(want), f"identity/oidc/token/{ROLES[want.flaw]}")
        text = str(answer["data"]["token"])
        payload = decoded(text)[1]
        return Ticket(text, payload, since=payload["exp"] + SKEW if want.flaw == Try.EXPIRED else 0.0)

    def _session(self, want: Want) -> Ticket:
        name = self._person(want)
        routes = self.graph.routes_at.get(want.host, ())
        path = next((r.operation.path for r in routes if r.issuer and r.operation.method == "GET"), "")
        if not path:
            raise LookupError("no route for users there that a browser could open")
        port = self.entry.port_in_urls
        cookies = log_in(want.host, filled(path, {}), port, self.entry.send, lambda path: self.issuing.ask(name, path))
        issuer = self.graph.issuer_by_name[want.issuer]
        return Ticket(payload=claims_of(want, issuer.groups), cookies=cookies)

    def _person(self, want: Want) -> str:
        key = want.person, want.groups, want.claims
        if key not in self.people:
            texts = {name: value for name, value in want.claims if isinstance(value, str)}
            if len(texts) != len(want.claims):
                raise LookupError("the issuer keeps texts of people, no numbers and no lists")
            self.people[key] = self.issuing.person(want.groups, texts)
        return self.people[key]

    def keys(self, issuer: str) -> Keys:  # noqa: ARG002 there is one
        with suppress(LookupError):
            found: Keys = self.issuing.ask("", "identity/oidc/.well-known/keys")["keys"]
            return found
        return ()


@dataclass(frozen=True)
class Both:
    """Tokens of the embedded issuer from there, all others from the file."""

    embedded: Embedded
    others: Tokens

    def give(self, want: Want) -> Ticket:
        return self._of(want.issuer).give(want)

    def keys(self, issuer: str) -> Keys:
        return self._of(issuer).keys(issuer)

    def _of(self, issuer: str) -> Tokens:
        own = self.embedded.graph.issuer_by_name[issuer].embedded
        return self.embedded if own else self.others


@dataclass(frozen=True)
class FromFile:
    """Tokens that somebody got from the issuers: JSON, lists of tokens by what is wrong with them.

    `good` has those without fault, for as many people and groups as there are; `sessions` has a Cookie header by host;
    `keys` a key set by issuer. The other names are the report's, such as `expired token`. A token is its text; an
    opaque one is `{"token": TEXT, "claims": {...}}`, with what its issuer says of it when asked (RFC 7662).
    """

    graph: Graph
    cluster: Cluster
    tokens: Mapping[str, Sequence[str | Mapping[str, Any]]] = field(default_factory=dict)
    sessions: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, Mapping[str, Keys]] = field(default_factory=dict)

    @classmethod
    def read(cls, graph: Graph, cluster: Cluster, path: Path) -> FromFile:
        """Raises ProveError where the file is none of these."""
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ProveError(f"--tokens {path}: {error}") from None
        names = {GOOD, "sessions", "keys", *(kind.value for kind in Try)}
        if not isinstance(found, dict) or (unknown := sorted(set(found) - names)):
            wrong = ", ".join(unknown) if isinstance(found, dict) else "no object"
            raise ProveError(f"--tokens {path}: {wrong}; there is {GOOD}, sessions, keys and the report's words")
        lists = {key: value for key, value in found.items() if key not in ("sessions", "keys")}
        if not all(isinstance(value, list) and all(map(_is_entry, value)) for value in lists.values()):
            raise ProveError(
                f"--tokens {path}: each name has a list of tokens, each of three parts (RFC 7519) or with its claims"
            )
        return cls(graph, cluster, lists, found.get("sessions", {}), found.get("keys", {}))

    def give(self, want: Want) -> Ticket:
        host = next(host for host in self.graph.hosts if host.name == want.host)
        if host.login:
            if not (cookies := self.sessions.get(host.name)) or want.without:
                raise NotHadError("no session for it in --tokens")
            return Ticket(cookies=cookies)
        name = GOOD if want.flaw == Try.WELL_FORMED else want.flaw.value
        opaque = self.graph.issuer_by_name[want.issuer].opaque
        for entry in self.tokens.get(name, ()):
            if opaque == isinstance(entry, str):
                continue
            text, payload = (entry, decoded(entry)[1]) if isinstance(entry, str) else (entry["token"], entry["claims"])
            if self._fits(want, payload):
                return Ticket(text, payload)
        raise NotHadError(NEEDS_KEY if want.flaw != Try.WELL_FORMED else f"no such token in --tokens ({_words(want)})")

    def keys(self, issuer: str) -> Keys:
        return self.sets.get(issuer, {}).get("keys", ())

    def _fits(self, want: Want, payload: Mapping[str, Any]) -> bool:
        issuer = self.graph.issuer_by_name[want.issuer]
        verified = {v.issuer for v in tokens.at_host(self.graph, self.cluster, want.host)}
        accepted = {issuer.url} if issuer.opaque else verified
        if payload.get("iss") not in accepted and want.flaw != Try.WRONG_ISSUER:
            return False
        listed = _claim(payload, issuer.groups)
        groups = set(listed) if isinstance(listed, list) else set()
        scoped = not want.scope or want.scope in str(payload.get("scope", "")).split()
        return set(want.groups) <= groups and want.without not in groups and scoped and _fulfils(want, payload)


def _fulfils(want: Want, payload: Mapping[str, Any]) -> bool:
    """Whether some request of the bearer stands to the condition as it has to."""
    find = {"holds": solve, "fails": against}.get(want.fit)
    return find is None or find(want.where, payload) is not None


def _is_token(text: object) -> bool:
    return isinstance(text, str) and text.count(".") == 2


def _is_entry(entry: object) -> bool:
    if isinstance(entry, dict):
        return (
            set(entry) == {"token", "claims"} and isinstance(entry["token"], str) and isinstance(entry["claims"], dict)
        )
    return _is_token(entry)


def _claim(payload: Mapping[str, Any], name: str) -> Any:
    found: Any = payload
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _words(want: Want) -> str:
    wanted = [f"in {', '.join(want.groups)}" if want.groups else "", f"not in {want.without}" if want.without else ""]
    return " and ".join(filter(None, wanted)) or f"of {want.issuer}"
