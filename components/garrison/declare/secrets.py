"""Saying which secrets a service may read."""

from __future__ import annotations

from dataclasses import dataclass

from garrison.declare.statements import Speaker, Statement, verb, where
from garrison.declare.variables import Env, texts
from garrison.model.secrets import Read
from garrison.words import Ref


@dataclass(frozen=True)
class ReadStatement(Statement):
    row = "reads"
    service: Ref
    path: str
    env: tuple[tuple[str, str], ...] = ()

    def value(self) -> Read:
        return Read(self.service, self.path, self.env)


class Reads(Speaker):
    @verb
    def reads(self, path: str, *, env: Env | None = None) -> None:
        """Allow this service to read one path of the secret store, such as `"psp/api-key"`; never a value.

        The secret is a file, which `PSP_API_KEY_FILE` names; `env="API_KEY_FILE"` is another name for that variable.
        `env={"API_KEY": "{value}"}` is for an application that can read no file: the variable has the secret itself,
        which whatever it starts inherits, and which stays as it was until the pod is made anew.
        """
        self._pen.add(ReadStatement(where(), self.ref, path, texts(env, "{path}")))
