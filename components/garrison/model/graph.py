"""The frozen call graph: what was declared, as a value of which every law holds.

An `App` is written in; `App.graph()` freezes it into a `Graph`, which is checked, ordered, serialisable and free of
secret values and of Pulumi outputs. Every layer of protection is a pure function of this value.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

from garrison.errors import IntentError
from garrison.model import calls, codec, databases, permissions, secrets
from garrison.model.breach import Place
from garrison.model.calls import Call, Operation, Target
from garrison.model.codec import SCHEMA
from garrison.model.databases import Database, DatabaseRole, Use
from garrison.model.elsewhere import Elsewhere, Foreign
from garrison.model.externals import External
from garrison.model.hosts import Host
from garrison.model.issuers import Issuer
from garrison.model.jobs import Job
from garrison.model.laws import breaches
from garrison.model.parts import Parts
from garrison.model.permissions import Permission
from garrison.model.ports import Port
from garrison.model.rates import Rate
from garrison.model.routes import Route
from garrison.model.secrets import Read
from garrison.model.services import Service
from garrison.model.shape import misfits

__all__ = [
    "SCHEMA",
    "Call",
    "Database",
    "DatabaseRole",
    "Elsewhere",
    "External",
    "Foreign",
    "Graph",
    "Host",
    "Issuer",
    "Job",
    "Operation",
    "Permission",
    "Port",
    "Rate",
    "Read",
    "Route",
    "Service",
    "Target",
    "Use",
]
NOUNS = ("namespaces", "services", "calls", "databases", "uses", "reads", "permissions")
ROWS = (*NOUNS, "issuers", "hosts", "routes", "ports", "jobs", "externals", "elsewhere", "images")


@dataclass(frozen=True)
class Graph(Parts):
    """The whole declaration, every tuple in sorted order so that two runs give the same bytes.

    However it is made, it holds together: raises IntentError with every problem, each at its field.
    """

    def __post_init__(self) -> None:
        if wrong := [*misfits(self)]:
            raise IntentError(wrong)
        # not of this value itself: what a law looks up is kept, and would be of rows that are not in order yet
        said = Parts(**{field.name: getattr(self, field.name) for field in fields(Parts)})
        if broken := sorted(set(breaches(said))):
            raise IntentError([breach.problem(_path) for breach in broken])
        merged: dict[str, Any] = {
            "calls": calls.merged(self.calls),
            "permissions": permissions.merged(self.permissions),
            "reads": secrets.merged(self.reads),
            "uses": databases.merged(self.uses),
        }
        for name in ROWS:
            rows = merged.get(name) or set(getattr(self, name))
            object.__setattr__(self, name, tuple(sorted(rows)))

    def to_json(self) -> str:
        """Stable JSON: same graph, same bytes."""
        return codec.write(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read `to_json` back; raises IntentError (a ValueError) naming each field that does not hold."""
        return cls(**codec.read(text))


def _path(place: Place) -> str:
    name, row = place
    return f"{name}[{row}]" if name in ROWS else name
