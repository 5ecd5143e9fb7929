"""Saying which services there are. What one may do is said by its verbs, each with the noun that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrison import defaults
from garrison.declare.calls import Calls
from garrison.declare.databases import Uses
from garrison.declare.namespaces import Home
from garrison.declare.permissions import Rights
from garrison.declare.routes import Serves
from garrison.declare.secrets import Reads
from garrison.declare.statements import Statement, verb, where
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
    openapi: str = ""

    def value(self) -> model.Service:
        return model.Service(self.ref, self.image, self.port, self.replicas, self.resources, self.openapi)


class Service(Calls, Serves, Uses, Reads, Rights):
    """A declared service. Its verbs say what it may do; what is not said is refused by every layer."""


class Services(Home):
    @verb
    def service(
        self,
        name: str,
        *,
        image: str,
        port: int,
        replicas: int = defaults.REPLICAS,
        resources: Resources = defaults.APP_RESOURCES,
        openapi: str | Path | None = None,
    ) -> Service:
        """Declare a service. `image` is pinned by digest; `port` is where the application listens on loopback.

        `openapi` is the file of its OpenAPI 3 document in JSON: what it serves has to be in it, and the edge lets
        through only what fits it.
        """
        ref, pen = self.place(name)
        pen.add(ServiceStatement(where(), ref, image, port, replicas, resources, _document(openapi)))
        return Service(ref, pen)


def _document(file: Any) -> Any:
    """The text of the document; a file that gives none is a document without text, which is refused with its line."""
    if file is None or not isinstance(file, str | Path):
        return "" if file is None else file
    try:
        return Path(file).read_text(encoding="utf-8") or " "
    except (OSError, ValueError):
        return f" no document in {file}"
