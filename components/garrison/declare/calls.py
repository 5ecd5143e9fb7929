"""Saying who may call whom."""

from __future__ import annotations

from dataclasses import dataclass

from garrison.declare.statements import Speaker, Statement, verb, where
from garrison.model.calls import Call, Operation, Token
from garrison.words import Ref


@dataclass(frozen=True)
class CallStatement(Statement):
    row = "calls"
    caller: Ref
    callee: Ref | str
    operations: tuple[str, ...]
    token: Token = "none"  # noqa: S105 a way to call

    def value(self) -> Call:
        operations = tuple(Operation.parse(text) for text in self.operations)
        return Call(self.caller, Ref.near(self.callee, self.caller), operations, self.token)


class Calls(Speaker):
    @verb
    def calls(self, callee: Speaker | str, *operations: str, token: Token = "none") -> None:  # noqa: S107 as above
        """Allow this service to call `callee` with the given operations, each a method and a path template.

        `orders.calls(catalog, "GET /items/{id}")`. A callee may be named as `"catalog"` (same namespace) or
        `"shop/catalog"` where it is declared further down. Saying more about the same pair adds to it.
        With `token="forward"` the user's token has to come with the request, and the callee checks it again.
        """
        target = callee.ref if isinstance(callee, Speaker) else callee
        self._pen.add(CallStatement(where(), self.ref, target, operations, token))
