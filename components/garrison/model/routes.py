"""Routes: which operation of a service is reached from outside, at which hosts, by whom, and how often."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from garrison.model import conditions
from garrison.model.breach import Breach, Place
from garrison.model.calls import Operation
from garrison.model.conditions import Alternatives
from garrison.model.rates import Rate
from garrison.words import Ref

GROUP: Final = re.compile(r"(?!.*(\.\.|//))[A-Za-z0-9][-A-Za-z0-9._:/@ ]{0,99}")
REASON: Final = 300


@dataclass(frozen=True, order=True)
class Route:
    """One operation of a service at one host of the edge, with its decision: for whom it is."""

    service: Ref
    operation: Operation
    host: str
    issuer: str = ""
    """Whose tokens count; empty where the route is public."""
    group: str = ""
    """The group that a user has to be in; empty for everybody whom the issuer knows."""
    public: str = ""
    """Why nobody has to say who they are; empty where they have to."""
    where: Alternatives = ()
    rates: tuple[Rate, ...] = ()

    @property
    def audience(self) -> str:
        """For whom it is, as a person reads it."""
        if self.public:
            return "anybody"
        who = f"group {self.group} of {self.issuer}" if self.group else f"any user of {self.issuer}"
        return f"{who} where {conditions.words(self.where)}" if self.where else who

    def breaches(self, place: Place) -> Iterator[Breach]:
        yield from self.operation.breaches(place)
        if bool(self.issuer) == bool(self.public):
            what = f"'{self.operation}' of '{self.service}' is served, and not said for whom"
            both = f"'{self.operation}' of '{self.service}' is public and for users"
            remedy = 'give to=users.group("..."), to=users.anyone() or public="why it is for everybody"'
            yield Breach(place, both if self.issuer else what, remedy)
        if self.group and not GROUP.fullmatch(self.group):
            yield Breach(place, f"{self.group!r} is not the name of a group", "use letters, digits and '-._:/@'")
        if self.public and (len(self.public) > REASON or not self.public.isprintable()):
            yield Breach(place, "the reason of a public route is no line of text", f"use at most {REASON} letters")
        if self.public and self.where:
            yield Breach(place, "a condition where nobody says who they are", "give to=..., or leave `where` out")
        yield from conditions.breaches(place, self.where, self.operation)
        for rate in self.rates:
            yield from rate.breaches(place, public=bool(self.public))
        counted = [(rate.per, rate.seconds) for rate in self.rates]
        if len(counted) != len(set(counted)):
            yield Breach(place, "two limits count the same in the same time", "leave one of them out")
