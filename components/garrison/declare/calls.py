"""Saying who may call whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from garrison.declare.externals import External
from garrison.declare.statements import Speaker, Statement, verb, where
from garrison.declare.variables import Env, texts
from garrison.model.calls import Call, Operation, Target, Token
from garrison.words import Ref


@dataclass(frozen=True)
class CallStatement(Statement):
    row = "calls"
    caller: Ref
    callee: Ref | str
    operations: tuple[str, ...]
    token: Token = "none"  # noqa: S105 a way to call
    port: str = ""
    connects: bool = False
    env: tuple[tuple[str, str], ...] = ()
    alias: str = ""
    timeout: int | None = None

    def value(self) -> Call:
        operations = tuple(Operation.parse(text) for text in self.operations)
        callee = Ref.near(self.callee, self.caller)
        said = (self.token, self.port, self.connects, self.env, self.alias, self.timeout)
        return Call(self.caller, callee, operations, *said)


@dataclass(frozen=True)
class Port:
    """A further port of a service, which is called as a service is."""

    ref: Ref
    name: str

    @property
    def target(self) -> Target:
        return Target(self.ref, self.name)


class Says(Speaker):
    """Whoever may be said to call."""

    def _say(self, callee: Any, operations: tuple[str, ...], *, env: Any = None, **said: Any) -> None:
        port = callee.name if isinstance(callee, Port) else ""
        target = callee.ref if isinstance(callee, Speaker | Port | External) else callee
        self._pen.add(
            CallStatement(where(), self.ref, target, operations, port=port, env=texts(env, "{host}:{port}"), **said)
        )


class Calls(Says):
    @verb
    def calls(
        self,
        callee: Speaker | Port | External | str,
        *operations: str,
        token: Token = "none",  # noqa: S107 as above
        env: Env | None = None,
        alias: str = "",
        timeout: int | None = None,
    ) -> None:
        """Allow this service to call `callee` with the given operations, each a method and a path template.

        `orders.calls(catalog, "GET /items/{id}")`; of gRPC, `"package.Service/Method"`. A callee may be named as
        `"catalog"` (same namespace) or `"shop/catalog"` where it is declared further down. Saying more about the same
        pair adds to it. With `token="forward"` the user's token has to come with the request, and the callee checks it
        again.

        `env` gives the callee's address in the application's own words: `"CART_ADDR"` is `{host}:{port}`, and
        `{"CART_URL": "{url}/v1"}` a text with `{host}`, `{port}` or `{url}` in it; without it the variable is
        `CATALOG_URL`, and `CATALOG_ADDR` for gRPC. `alias="catalogue:8080"` is for a name that is compiled into the
        image. `timeout` is in seconds, for the answer once the request is there: 15 by default, and for gRPC, whose
        streams have no end, none; 0 is as long as it takes. Nothing lasts longer than an hour.
        """
        self._say(callee, operations, token=token, env=env, alias=alias, timeout=timeout)

    @verb
    def connects(self, callee: Speaker | Port | External | str, *, env: Env | None = None, alias: str = "") -> None:
        """Allow this service to speak TCP with `callee`, a port of `protocol="tcp"`: Redis, RabbitMQ, MongoDB, Kafka.

        Both ends know each other's identity; what is said is not looked at, so there are no operations to allow.
        `env` and `alias` as with `calls`; without them the variable is `REDIS_ADDR`.

        Of a host outside (`app.external`) the application makes the TLS itself, under the host's own name: that is its
        alias unless another is given.
        """
        if isinstance(callee, External) and not alias:
            alias = callee.authority
        self._say(callee, (), connects=True, env=env, alias=alias)
