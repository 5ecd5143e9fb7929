"""The pen: an `App` only adds statements, in any order; `graph()` checks them all and freezes them into a `Graph`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from garrison.declare.databases import Database, Databases
from garrison.declare.declaration import Declaration, freeze
from garrison.declare.elsewhere import Elsewhere, Foreign, Others
from garrison.declare.externals import External, Externals
from garrison.declare.hosts import Host, Hosts
from garrison.declare.issuers import Issuer, Issuers
from garrison.declare.jobs import Job, Jobs
from garrison.declare.namespaces import NamespaceStatement
from garrison.declare.services import Service, Services
from garrison.declare.statements import Pen, verb, where
from garrison.model.graph import Graph
from garrison.words import Ref

__all__ = ["App", "Database", "Elsewhere", "External", "Foreign", "Host", "Issuer", "Job", "Namespace", "Service"]


@dataclass(frozen=True)
class Namespace(Services, Jobs, Databases):
    """A namespace of the App, closed by default in both directions."""

    name: str
    _app: Pen = field(repr=False, compare=False)

    def place(self, name: str) -> tuple[Ref, Pen]:
        return Ref(self.name, name), self._app


class App(Issuers, Hosts, Externals, Others, Services, Jobs, Databases):
    """One declared call graph. `images` are the platform's own containers by role: `envoy`, `openbao`, `postgres`.

    What is declared at the App itself lives in the namespace that has its name, for an App of one namespace.
    """

    @verb
    def __init__(self, name: str, *, trust_domain: str, images: Mapping[str, str]) -> None:
        super().__init__(images)
        self.name = name
        self.trust_domain = trust_domain
        self.where = where()

    @verb
    def namespace(self, name: str) -> Namespace:
        """Declare one namespace."""
        self.add(NamespaceStatement(where(), name))
        return Namespace(name, self)

    @verb
    def namespaces(self, *names: str) -> tuple[Namespace, ...]:
        """Declare several namespaces and unpack them: `shop, bank = app.namespaces("shop", "bank")`."""
        return tuple(self.namespace(name) for name in names)

    def place(self, name: str) -> tuple[Ref, Pen]:
        """In the namespace of the App's own name, declared with the first thing in it."""
        if not any(isinstance(said, NamespaceStatement) and said.name == self.name for said in self.statements):
            self.add(NamespaceStatement(where(), self.name))
        return Ref(self.name, name), self

    def declaration(self) -> Declaration:
        """Everything said so far, as a value."""
        return Declaration(self.where, self.name, self.trust_domain, self.images, self.statements)

    def graph(self) -> Graph:
        """Check every statement and freeze the declaration; raises IntentError with all problems at once."""
        return freeze(self.declaration())
