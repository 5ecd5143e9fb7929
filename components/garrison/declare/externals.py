"""Saying which hosts outside the estate knows."""

from __future__ import annotations

from dataclasses import dataclass

from garrison.declare.statements import Pen, Statement, verb, where
from garrison.model import externals as model
from garrison.words import Ref


@dataclass(frozen=True)
class ExternalStatement(Statement):
    row = "externals"
    host: str
    port: int = model.HTTPS

    def value(self) -> model.External:
        return model.External(self.host, self.port)


@dataclass(frozen=True)
class External:
    """A declared host outside."""

    ref: Ref
    authority: str
    """Host and port, both always."""


class Externals(Pen):
    @verb
    def external(self, host: str, port: int = model.HTTPS) -> External:
        """Declare a host outside such as `"api.psp.example"`: a callee, of services that say so and of nobody else.

        `caller.calls(host, "POST /v1/charges")` lets these operations pass, in TLS that Garrison makes and verifies;
        `caller.connects(host)` lets an application through that speaks TLS with the host itself.
        """
        self.add(ExternalStatement(where(), host, port))
        made = model.External(host, port)
        return External(made.ref, made.authority)
