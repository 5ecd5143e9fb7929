"""Saying under which names the estate is reached from outside."""

from __future__ import annotations

from dataclasses import dataclass

from garrison.declare.issuers import Issuer
from garrison.declare.statements import Pen, Statement, verb, where
from garrison.model import hosts as model


@dataclass(frozen=True)
class HostStatement(Statement):
    row = "hosts"
    name: str
    login: str = ""

    def value(self) -> model.Host:
        return model.Host(self.name, self.login)


@dataclass(frozen=True)
class Host:
    """A declared host of the edge."""

    name: str


class Hosts(Pen):
    @verb
    def host(self, name: str, *, login: Issuer | None = None) -> Host:
        """Declare a host such as `"api.estate.example"`. Nothing is served there but what a service `serves` at it.

        With `login` a browser gets a session there (authorization code with PKCE, RFC 7636); without, every request
        brings a bearer token (RFC 6750).
        """
        self.add(HostStatement(where(), name, login.name if isinstance(login, Issuer) else login or ""))
        return Host(name)
