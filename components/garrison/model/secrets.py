"""Secrets: which paths of the secret store a service may read. Never a value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from garrison.manifest import variable
from garrison.model.breach import Breach, Place
from garrison.words import Ref

PATH = re.compile(r"[a-z0-9][-_a-z0-9]*(/[a-z0-9][-_a-z0-9]*)*")
MAX_PATH = 200


@dataclass(frozen=True, order=True)
class Read:
    """`service` may read the static secret at `path` of the secret store, and no other."""

    service: Ref
    path: str

    @property
    def file(self) -> str:
        """The file of the secret, among the service's secrets."""
        return self.path

    @property
    def variable(self) -> str:
        """Where the service's application finds that file."""
        return f"{variable(self.path)}_FILE"

    def breaches(self, place: Place) -> Iterator[Breach]:
        if not PATH.fullmatch(self.path) or len(self.path) > MAX_PATH:
            remedy = "write it like 'psp/api-key': lower case, no wildcard, no leading or trailing slash"
            yield Breach(place, f"{self.path!r} is not a path in the secret store", remedy)
        elif self.path[0].isdigit():
            remedy = "begin the path with a letter"
            yield Breach(place, f"{self.path!r} would be the variable {self.variable}, which no shell can read", remedy)
