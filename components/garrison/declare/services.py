"""Saying which services there are. What one may do is said by its verbs, each with the noun that it is about."""

from __future__ import annotations

from dataclasses import dataclass

from garrison import defaults
from garrison.declare.calls import Calls
from garrison.declare.databases import Uses
from garrison.declare.namespaces import Home
from garrison.declare.permissions import Rights
from garrison.declare.secrets import Reads
from garrison.declare.statements import Statement, where
from garrison.model import services as model
from garrison.words import Ref, Resources


@dataclass(frozen=True)
class ServiceStatement(Statement):
    row = "services"
    ref: Ref
    image: str
    port: int
    replicas: int
    resources: Resources

    def value(self) -> model.Service:
        return model.Service(self.ref, self.image, self.port, self.replicas, self.resources)


class Service(Calls, Uses, Reads, Rights):
    """A declared service. Its verbs say what it may do; what is not said is refused by every layer."""


class Services(Home):
    def service(
        self,
        name: str,
        *,
        image: str,
        port: int,
        replicas: int = defaults.REPLICAS,
        resources: Resources = defaults.APP_RESOURCES,
    ) -> Service:
        """Declare a service. `image` is pinned by digest; `port` is where the application listens on loopback."""
        ref, pen = self.place(name)
        pen.add(ServiceStatement(where(), ref, image, port, replicas, resources))
        return Service(ref, pen)
