"""Saying which services there are. What one may do is said by its verbs, each with the noun that it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from garrison import defaults
from garrison.declare.calls import Calls, Port
from garrison.declare.containers import container
from garrison.declare.databases import Uses
from garrison.declare.namespaces import Home
from garrison.declare.permissions import Rights
from garrison.declare.routes import Serves
from garrison.declare.secrets import Reads
from garrison.declare.statements import Statement, verb, where
from garrison.model import ports
from garrison.model import services as model
from garrison.model.containers import Container
from garrison.words import Ref, Resources

UNSAID = "unsaid"  # where None means something else


@dataclass(frozen=True)
class ServiceStatement(Statement):
    row = "services"
    ref: Ref
    image: str
    port: int
    replicas: int
    resources: Resources
    openapi: str
    protocol: model.Protocol
    health: str
    liveness: str
    startup_seconds: int
    container: Container
    bind: model.Bind

    def value(self) -> model.Service:
        return model.Service(**{field.name: getattr(self, field.name) for field in fields(model.Service)})


@dataclass(frozen=True)
class PortStatement(Statement):
    row = "ports"
    service: Ref
    name: str
    number: int
    protocol: model.Protocol

    def value(self) -> ports.Port:
        return ports.Port(self.service, self.name, self.number, self.protocol)


class Service(Calls, Serves, Uses, Reads, Rights):
    """A declared service. Its verbs say what it may do; what is not said is refused by every layer."""

    @verb
    def port(self, name: str, number: int, *, protocol: model.Protocol = "http") -> Port:
        """Declare a further port, a callee of its own: `rabbitmq.port("management", 15672)`."""
        self._pen.add(PortStatement(where(), self.ref, name, number, protocol))
        return Port(self.ref, name)


class Services(Home):
    @verb
    def service(
        self,
        name: str,
        *,
        image: str,
        port: int | None = None,
        protocol: model.Protocol = "http",
        health: str | None = UNSAID,
        liveness: str | None = UNSAID,
        startup_seconds: int = defaults.STARTUP_SECONDS,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
        args: Sequence[str] = (),
        files: Mapping[str, str | Path] | None = None,
        scratch: Sequence[str] | Mapping[str, str] = (),
        volumes: Mapping[str, str] | None = None,
        uid: int = defaults.APP_UID,
        bind: model.Bind = "loopback",
        replicas: int | None = None,
        resources: Resources = defaults.APP_RESOURCES,
        openapi: str | Path | None = None,
    ) -> Service:
        """Declare a service. `image` is pinned by digest; `port` is where the application listens on loopback, and a
        service without one is a worker: it calls, and nobody calls it.

        `protocol` is what the port speaks: `"http"`, `"grpc"` or `"tcp"`. `health` says that it is ready: a path
        (`"/healthz"` by default), `"grpc"` (grpc.health.v1, the default there), `"tcp"`, or None. `liveness` says that
        it need not be started anew: by default that it accepts connections. `startup_seconds` it may take before.

        `env` are settings: no secret, which `reads` gives, and no address, which `calls(..., env=)` gives. `command`
        and `args` are Kubernetes' own. `files` are texts by path, or files to read them from; `scratch` are folders
        that it may write to, of 64Mi unless a size is given, and empty when it starts; `volumes` are folders that
        stay, with their size, of one replica. `uid` is the user it runs as. `bind="all"` is for images that listen on
        every address: then the network policy alone keeps others from the port. Two replicas unless said, one with a
        volume.

        `openapi` is the file of its OpenAPI 3 document in JSON: what it serves has to be in it, and the edge lets
        through only what fits it.
        """
        ref, pen = self.place(name)
        speaks = {"http": "/healthz"}.get(protocol, protocol) if port else ""
        given = container(env, command, args, files, scratch, volumes, uid=uid)
        pen.add(
            ServiceStatement(
                where(),
                ref,
                image,
                0 if port is None else port,
                (1 if volumes else defaults.REPLICAS) if replicas is None else replicas,
                resources,
                _document(openapi),
                protocol,
                speaks if health is UNSAID else health or "",
                ("tcp" if port else "") if liveness is UNSAID else liveness or "",
                startup_seconds,
                given,
                bind,
            )
        )
        return Service(ref, pen)


def _document(file: Any) -> Any:
    """The text of the document; a file that gives none is a document without text, which is refused with its line."""
    if file is None or not isinstance(file, str | Path):
        return "" if file is None else file
    try:
        return Path(file).read_text(encoding="utf-8") or " "
    except (OSError, ValueError):
        return f" no document in {file}"
