"""Saying which secrets a service may read."""

from __future__ import annotations

from dataclasses import dataclass

from garrison.declare.statements import Speaker, Statement, verb, where
from garrison.model.secrets import Read
from garrison.words import Ref


@dataclass(frozen=True)
class ReadStatement(Statement):
    row = "reads"
    service: Ref
    path: str

    def value(self) -> Read:
        return Read(self.service, self.path)


class Reads(Speaker):
    @verb
    def reads(self, path: str) -> None:
        """Allow this service to read one path of the secret store, such as `"psp/api-key"`; never a value."""
        self._pen.add(ReadStatement(where(), self.ref, path))
