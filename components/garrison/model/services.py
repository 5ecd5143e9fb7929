"""Services: workloads with an identity of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from garrison import defaults as d
from garrison.model.breach import Breach, Place
from garrison.model.contracts import Contract
from garrison.model.texts import BYTES, amount, named, unpinned
from garrison.words import Ref, Resources

CPU = re.compile(r"[0-9]{1,9}m|[0-9]{1,6}(\.[0-9]{1,3})?")
LAST_OUTBOUND = d.OUTBOUND_PORT + d.MAX_CALLEES - 1


@dataclass(frozen=True, order=True)
class Service:
    """A workload with an identity of its own. `port` is where the application listens, on loopback only."""

    ref: Ref
    image: str
    port: int
    replicas: int
    resources: Resources
    openapi: str = ""
    """Its OpenAPI document as JSON, where it has one."""

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

    def breaches(self, place: Place) -> Iterator[Breach]:
        yield from named(place, "service", self.ref)
        yield from unpinned(place, f"'{self.ref}'", self.image)
        reserved = self.port in (d.MTLS_PORT, d.HEALTH_PORT) or d.OUTBOUND_PORT <= self.port <= LAST_OUTBOUND
        if reserved or not 1024 <= self.port <= 65535:
            free = f"use 1024-65535 except {d.MTLS_PORT}, {d.HEALTH_PORT} and {d.OUTBOUND_PORT}-{LAST_OUTBOUND}"
            yield Breach(place, f"'{self.ref}' cannot listen on port {self.port}", f"{free}, which the sidecar needs")
        if not 1 <= self.replicas <= 1000:
            yield Breach(place, f"'{self.ref}' asks for {self.replicas} replicas", "use 1 to 1000")
        yield from _bounds(place, self.resources)
        if self.openapi and self.contract.problem:
            what = f"the OpenAPI document of '{self.ref}' cannot be used: {self.contract.problem}"
            yield Breach(place, what, "give a file with an OpenAPI 3 document in JSON")


def _bounds(place: Place, r: Resources) -> Iterator[Breach]:
    yield from _bound(place, CPU, "of CPU, such as '100m'", r.cpu, r.cpu_limit)
    yield from _bound(place, BYTES, "of bytes, such as '128Mi'", r.memory, r.memory_limit)


def _bound(place: Place, form: re.Pattern[str], what: str, asked: str, limit: str) -> Iterator[Breach]:
    wrong = [quantity for quantity in (asked, limit) if not form.fullmatch(quantity) or not amount(quantity)]
    for quantity in wrong:
        yield Breach(place, f"{quantity!r} is not a Kubernetes quantity", f"write one {what}, and more than none")
    if not wrong and amount(asked) > amount(limit):
        yield Breach(place, f"requests {asked}, more than its limit of {limit}", "raise the limit, or ask for less")
