"""Further ports of a service, each a callee of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from garrison.model.breach import Breach, Place
from garrison.model.services import Protocol, listening, spoken
from garrison.model.texts import is_label
from garrison.words import Ref

LONGEST = 15  # of a port's name in Kubernetes (IANA service names, RFC 6335)


@dataclass(frozen=True, order=True)
class Port:
    """A further port of `service`, reached by its name: `management` of a broker beside the port of its protocol."""

    service: Ref
    name: str
    number: int
    protocol: Protocol = "http"

    def breaches(self, place: Place) -> Iterator[Breach]:
        if not is_label(self.name, LONGEST):
            remedy = f"use a DNS label (RFC 1035) of at most {LONGEST} characters"
            yield Breach(place, f"{self.name!r} is not a name of a port", remedy)
        yield from listening(place, self.service, self.number)
        yield from spoken(place, self.protocol)
