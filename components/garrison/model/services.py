"""Services: workloads with an identity of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

from garrison import defaults as d
from garrison.errors import did_you_mean
from garrison.model.breach import Breach, Place
from garrison.model.containers import NOTHING, Container
from garrison.model.contracts import Contract
from garrison.model.texts import BYTES, amount, named, unpinned
from garrison.words import Ref, Resources

CPU = re.compile(r"[0-9]{1,9}m|[0-9]{1,6}(\.[0-9]{1,3})?")
PATH = re.compile(r"/[-A-Za-z0-9._~!$&'()*+,;=:@%/]*(\?[-A-Za-z0-9._~!$&'()*+,;=:@%/?]*)?")
MAX_PATH = 1024
MAX_PORT = 65535
MAX_STARTUP = 3600
LAST_OUTBOUND = d.OUTBOUND_PORT + d.MAX_CALLEES - 1


Protocol = Literal["http", "grpc", "tcp"]
Bind = Literal["loopback", "all"]


@dataclass(frozen=True, order=True)
class Service:
    """A workload with an identity of its own. `port` is where the application listens; 0 is nowhere: a worker."""

    ref: Ref
    image: str
    port: int
    replicas: int
    resources: Resources
    openapi: str = ""
    """Its OpenAPI document as JSON, where it has one."""
    protocol: Protocol = "http"
    health: str = "/healthz"
    """What says that it is ready: a path, or `grpc` (grpc.health.v1), or `tcp` (it accepts), or nothing."""
    liveness: str = "tcp"
    """What says that it need not be started anew. That it accepts, where nothing was said: what is ready may ask
    others, and a database that is away must not restart everybody."""
    startup_seconds: int = d.STARTUP_SECONDS
    container: Container = NOTHING
    bind: Bind = "loopback"
    """Whether the image listens on every address: then the network alone keeps others from its port."""

    @cached_property
    def contract(self) -> Contract:
        """That document, read."""
        return Contract.parse(self.openapi)

    @property
    def name(self) -> str:
        return self.ref.name

    @property
    def namespace(self) -> str:
        return self.ref.namespace

    @property
    def stateful(self) -> bool:
        """Whether it keeps something of its own, and so is a StatefulSet."""
        return bool(self.container.volumes)

    def breaches(self, place: Place) -> Iterator[Breach]:
        yield from named(place, "service", self.ref)
        yield from unpinned(place, f"'{self.ref}'", self.image)
        if self.port:
            yield from listening(place, self.ref, self.port)
        if not 1 <= self.replicas <= 1000:
            yield Breach(place, f"'{self.ref}' asks for {self.replicas} replicas", "use 1 to 1000")
        if self.container.volumes and self.replicas != 1:
            what = f"'{self.ref}' has a volume and {self.replicas} replicas"
            yield Breach(place, what, "a volume is one pod's: say replicas=1, or keep the data in a database")
        yield from bounds(place, self.resources)
        if self.openapi and self.contract.problem:
            what = f"the OpenAPI document of '{self.ref}' cannot be used: {self.contract.problem}"
            yield Breach(place, what, "give a file with an OpenAPI 3 document in JSON")
        yield from spoken(place, self.protocol)
        yield from self._asked(place)
        yield from self.container.breaches(place, self.ref)
        yield from self._bound(place)

    def _asked(self, place: Place) -> Iterator[Breach]:
        for word, said in (("health", self.health), ("liveness", self.liveness)):
            if said not in ("", "grpc", "tcp") and not (PATH.fullmatch(said) and len(said) <= MAX_PATH):
                remedy = 'write a path such as "/healthz", or "grpc", or "tcp", or None'
                yield Breach(place, f"{word}={said!r} is no way to ask for it", remedy)
            elif said and not self.port:
                yield Breach(
                    place, f"'{self.ref}' has no port to ask for its {word}", f"say {word}=None, or give a port"
                )
        if not 1 <= self.startup_seconds <= MAX_STARTUP:
            remedy = f"use 1 to {MAX_STARTUP}"
            yield Breach(place, f"'{self.ref}' would take {self.startup_seconds} seconds to start", remedy)

    def _bound(self, place: Place) -> Iterator[Breach]:
        known = get_args(Bind)
        if self.bind not in known:
            yield Breach(
                place, f"bind={self.bind!r} is no place to listen", did_you_mean(self.bind, known, "use 'all'")
            )


def listening(place: Place, ref: Ref, port: int) -> Iterator[Breach]:
    """What a port of an application has to be."""
    reserved = port in (d.MTLS_PORT, d.HEALTH_PORT) or d.OUTBOUND_PORT <= port <= LAST_OUTBOUND
    if reserved or not 1 <= port <= MAX_PORT:
        free = f"use 1-{MAX_PORT} except {d.MTLS_PORT}, {d.HEALTH_PORT} and {d.OUTBOUND_PORT}-{LAST_OUTBOUND}"
        yield Breach(place, f"'{ref}' cannot listen on port {port}", f"{free}, which the sidecar needs")


def spoken(place: Place, protocol: str) -> Iterator[Breach]:
    known = get_args(Protocol)
    if protocol not in known:
        remedy = did_you_mean(protocol, known, "use 'http', 'grpc' or 'tcp'")
        yield Breach(place, f"{protocol!r} is no protocol of a port", remedy)


def bounds(place: Place, r: Resources) -> Iterator[Breach]:
    """What a container may ask for."""
    yield from _bound(place, CPU, "of CPU, such as '100m'", r.cpu, r.cpu_limit)
    yield from _bound(place, BYTES, "of bytes, such as '128Mi'", r.memory, r.memory_limit)


def _bound(place: Place, form: re.Pattern[str], what: str, asked: str, limit: str) -> Iterator[Breach]:
    wrong = [quantity for quantity in (asked, limit) if not form.fullmatch(quantity) or not amount(quantity)]
    for quantity in wrong:
        yield Breach(place, f"{quantity!r} is not a Kubernetes quantity", f"write one {what}, and more than none")
    if not wrong and amount(asked) > amount(limit):
        yield Breach(place, f"requests {asked}, more than its limit of {limit}", "raise the limit, or ask for less")
