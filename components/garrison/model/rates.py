"""Limits: how many requests of a route pass in which time, counted for whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from garrison.model.breach import Breach, Place

Per = Literal["user", "address", "all"]
MOST: Final = 1_000_000
SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600}


@dataclass(frozen=True, order=True)
class Rate:
    """At most `requests` in `seconds`, for each user, each client address, or all together.

    A token bucket of that size that is filled at that rate: so many may come at once, and so many in the time.
    """

    requests: int
    seconds: int
    per: Per

    def __str__(self) -> str:
        unit = {seconds: name for name, seconds in SECONDS.items()}.get(self.seconds, f"{self.seconds} seconds")
        article = "an" if unit == "hour" else "a"
        return f"{self.requests} {article} {unit} for {'all together' if self.per == 'all' else f'each {self.per}'}"

    def breaches(self, place: Place, *, public: bool) -> Iterator[Breach]:
        if not 1 <= self.requests <= MOST:
            yield Breach(place, f"a limit of {self.requests} requests", f"use 1 to {MOST:,}")
        if self.seconds not in SECONDS.values():
            yield Breach(place, f"a limit in {self.seconds} seconds", "use Rate.per_second, per_minute or per_hour")
        if self.per not in get_args(Per):
            yield Breach(place, f"a limit per {self.per!r}", f"use one of {', '.join(get_args(Per))}")
        if self.per == "user" and public:
            yield Breach(place, "a limit per user, where nobody says who they are", 'use per="address"')
