"""Saying whose tokens count: the embedded issuer, or any other."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from garrison.declare.statements import Pen, Statement, verb, where
from garrison.model import issuers as model


@dataclass(frozen=True)
class IssuerStatement(Statement):
    row = "issuers"
    name: str
    login: str = ""
    url: str = ""
    jwks: str = ""
    audience: str = ""
    groups: str = "groups"
    client: str = ""
    client_secret: str = ""
    authorize: str = ""
    token: str = ""
    end_session: str = ""
    ca: str = ""
    introspect: str = ""
    cache_seconds: int = 0

    def value(self) -> model.Issuer:
        return model.Issuer(**{field.name: getattr(self, field.name) for field in fields(model.Issuer)})


@dataclass(frozen=True)
class Users:
    """For whom a route is: users of an issuer, all or those of one group."""

    issuer: str
    among: str = ""


@dataclass(frozen=True)
class Issuer:
    """A declared issuer."""

    name: str

    @verb
    def group(self, name: str) -> Users:
        """Those whom the issuer lists in this group. Rights come from groups: scopes can be asked for by anybody."""
        return Users(self.name, name)

    def anyone(self) -> Users:
        """Everybody whom the issuer knows."""
        return Users(self.name)


class Issuers(Pen):
    trust_domain: str

    @verb
    def users(self, *, login: str | None = None) -> Issuer:
        """The embedded issuer: an OpenBao of its own with users, groups and a login page, without any other secret.

        `login` is the host of that page, `login.` and the trust domain by default.
        """
        self.add(IssuerStatement(where(), "users", login=f"login.{self.trust_domain}" if login is None else login))
        return Issuer("users")

    @verb
    def issuer(
        self,
        url: str,
        *,
        audience: str,
        jwks: str = "",
        name: str = "people",
        groups: str = "groups",
        client: str = "",
        client_secret: str = "",
        authorize: str = "",
        token: str = "",
        end_session: str = "",
        ca: str | Path = "",
        introspect: str = "",
        cache_seconds: int = 0,
    ) -> Issuer:
        """Any other issuer, with what its discovery document says; `garrison issuer URL` asks it and prints the line.

        `client`, `client_secret` (a path in the secret store), `authorize`, `token` and `end_session` are for hosts at
        which browsers log in with it. Nothing is fetched here: a preview means the same on every day.

        `ca` is the PEM file of whoever vouches for its certificates, where that is not a CA that every system trusts.

        With `introspect` in place of `jwks` the edge asks it about each token (RFC 7662), as `client` with
        `client_secret`: for opaque tokens, and where a token that was taken back has to be refused at once.
        `cache_seconds` (0 to 30) is for how long an answer holds. Services behind the edge cannot ask again: they rely
        on the edge for these routes, and cannot forward such a token.
        """
        login = client, client_secret, authorize, token, end_session
        asked = _certificates(ca), introspect, cache_seconds
        said = IssuerStatement(where(), name, "", url, jwks, audience, groups, *login, *asked)
        self.add(said)
        return Issuer(name)


def _certificates(file: Any) -> Any:
    """The text of a PEM file; one that cannot be read is no certificate, which is refused with its line."""
    if not file or not isinstance(file, str | Path):
        return file
    try:
        return Path(file).read_text(encoding="ascii").replace("\r\n", "\n").strip() + "\n"
    except (OSError, ValueError):
        return f"no file {file}"
