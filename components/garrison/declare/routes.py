"""Saying what is reached from outside, where, and for whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from garrison.declare.conditions import Condition
from garrison.declare.hosts import Host
from garrison.declare.issuers import Users
from garrison.declare.statements import Speaker, Statement, verb
from garrison.declare.statements import where as here
from garrison.model.calls import Operation
from garrison.model.conditions import Alternatives
from garrison.model.rates import Rate
from garrison.model.routes import Route
from garrison.words import Ref


@dataclass(frozen=True)
class RouteStatement(Statement):
    row = "routes"
    service: Ref
    operation: str
    host: str
    issuer: str = ""
    group: str = ""
    public: str = ""
    condition: Alternatives = ()
    rates: tuple[Rate, ...] = ()

    def value(self) -> Route:
        return Route(
            self.service,
            Operation.parse(self.operation),
            self.host,
            self.issuer,
            self.group,
            self.public,
            self.condition,
            tuple(sorted(self.rates)),
        )


class Serves(Speaker):
    @verb
    def serves(
        self,
        operation: str,
        *,
        at: Host | str | Sequence[Host | str],
        to: Users | None = None,
        public: str = "",
        where: Condition | None = None,
        rate: Rate | Sequence[Rate] = (),
    ) -> None:
        """Let `operation` be reached from outside, at one host or several. What is not served is 404 at the edge.

        Either `to=users.group("customers")` or `to=users.anyone()` says for whom it is, or `public="why"` that it is
        for everybody; without one of them the declaration is refused. `where` is a condition on the token and the
        request, `rate` a limit or several.
        """
        rates = (rate,) if isinstance(rate, Rate) else tuple(rate)
        for host in (at,) if isinstance(at, Host | str) else tuple(at):
            self._pen.add(
                RouteStatement(
                    here(),
                    self.ref,
                    operation,
                    host.name if isinstance(host, Host) else host,
                    to.issuer if isinstance(to, Users) else to or "",
                    to.among if isinstance(to, Users) else "",
                    public,
                    where.alternatives if isinstance(where, Condition) else where or (),
                    rates,
                )
            )
