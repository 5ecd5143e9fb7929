"""Saying whose tokens count: the embedded issuer, or any other."""

from __future__ import annotations

from dataclasses import dataclass

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

    def value(self) -> model.Issuer:
        return model.Issuer(
            self.name,
            self.login,
            self.url,
            self.jwks,
            self.audience,
            self.groups,
            self.client,
            self.client_secret,
            self.authorize,
            self.token,
            self.end_session,
        )


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
        jwks: str,
        name: str = "people",
        groups: str = "groups",
        client: str = "",
        client_secret: str = "",
        authorize: str = "",
        token: str = "",
        end_session: str = "",
    ) -> Issuer:
        """Any other issuer, with what its discovery document says; `garrison issuer URL` asks it and prints the line.

        `client`, `client_secret` (a path in the secret store), `authorize`, `token` and `end_session` are for hosts at
        which browsers log in with it. Nothing is fetched here: a preview means the same on every day.
        """
        said = IssuerStatement(
            where(), name, "", url, jwks, audience, groups, client, client_secret, authorize, token, end_session
        )
        self.add(said)
        return Issuer(name)
