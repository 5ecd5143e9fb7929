"""Jobs: workloads that end. Each has an identity and speaks to others; nobody speaks to one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from garrison import defaults as d
from garrison.errors import did_you_mean
from garrison.model.breach import Breach, Place
from garrison.model.containers import NOTHING, Container
from garrison.model.services import Service, bounds
from garrison.model.texts import named, unpinned
from garrison.words import Ref, Resources

MAX_SECONDS = 86400
MAX_RETRIES = 10
MAX_SCHEDULE = 256
PART = re.compile(r"(\*|[0-9A-Za-z]+(-[0-9A-Za-z]+)?)(/[1-9][0-9]*)?")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LAST_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
REMEDY: Final = "write minute, hour, day, month and weekday, such as '30 2 * * *' or '*/15 8-18 * * mon-fri', in UTC"


class Field(NamedTuple):
    """One of the five fields of a schedule, as Kubernetes reads it."""

    name: str
    first: int
    last: int
    names: Mapping[str, int]


FIELDS: Final = (
    Field("minute", 0, 59, {}),
    Field("hour", 0, 23, {}),
    Field("day of the month", 1, 31, {}),
    Field("month", 1, 12, {name: index for index, name in enumerate(MONTHS, 1)}),
    Field("day of the week", 0, 6, {name: index for index, name in enumerate(DAYS)}),
)


@dataclass(frozen=True, order=True)
class Job:
    """A workload that ends: once for each state of its declaration, or with a `schedule` whenever that says, in UTC."""

    ref: Ref
    image: str
    resources: Resources
    schedule: str = ""
    seconds: int = d.JOB_SECONDS
    """How long one run may take, its retries included."""
    retries: int = 0
    container: Container = NOTHING

    @cached_property
    def worker(self) -> Service:
        """What proxies, policies and the secret store see of it: a service that nobody can call."""
        return Service(self.ref, self.image, 0, 1, self.resources, health="", liveness="", container=self.container)

    @property
    def name(self) -> str:
        return self.ref.name

    @property
    def namespace(self) -> str:
        return self.ref.namespace

    def breaches(self, place: Place) -> Iterator[Breach]:
        yield from named(place, "job", self.ref)
        yield from unpinned(place, f"'{self.ref}'", self.image)
        yield from bounds(place, self.resources)
        yield from self.container.breaches(place, self.ref)
        if self.container.volumes:
            what = f"job '{self.ref}' has a volume, which would be no pod's for long"
            yield Breach(place, what, "keep what stays in a database, or in a service with a volume")
        if not 1 <= self.seconds <= MAX_SECONDS:
            remedy = f"say within= as seconds or as '90s', '10m' or '2h', at most {MAX_SECONDS} seconds"
            yield Breach(place, f"job '{self.ref}' has no time in which it could end", remedy)
        if not 0 <= self.retries <= MAX_RETRIES:
            yield Breach(place, f"job '{self.ref}' would be tried again {self.retries} times", f"use 0-{MAX_RETRIES}")
        if self.schedule:
            yield from _scheduled(place, self.schedule)


def _scheduled(place: Place, schedule: str) -> Iterator[Breach]:
    parts = schedule.split(" ")
    if len(parts) != len(FIELDS) or len(schedule) > MAX_SCHEDULE:
        yield Breach(place, f"schedule={schedule!r} has no five fields", REMEDY)
        return
    values: list[set[int]] = []
    for text, field in zip(parts, FIELDS, strict=True):
        found, wrong = _values(text, field)
        values.append(found)
        if wrong is not None:
            what = f"schedule={schedule!r}: {wrong!r} is no {field.name}"
            yield Breach(place, what, did_you_mean(wrong.lower(), field.names, _known(field)))
    days, months = values[2], values[3]
    never = all(day > LAST_DAYS[month - 1] for day in days for month in months)
    if all(values) and parts[4] in ("*", "*/1") and never:
        yield Breach(place, f"schedule={schedule!r} names a day that never comes", "name one that the month has")


def _known(field: Field) -> str:
    names = f", or {', '.join(field.names)}" if field.names else ""
    return f"use {field.first}-{field.last}, *, ranges, lists and steps{names}"


def _values(text: str, field: Field) -> tuple[set[int], str | None]:
    """What a field stands for, and the first part of it that is nothing."""
    found: set[int] = set()
    for part in text.split(","):
        if not PART.fullmatch(part):
            return set(), part
        span, _, step = part.partition("/")
        low, _, high = span.partition("-")
        first = field.first if low == "*" else _number(low, field)
        last = field.last if low == "*" or (step and not high) else _number(high or low, field)
        if first is None or last is None or last < first or int(step or 1) > field.last:
            return set(), part
        found |= {*range(first, last + 1, int(step or 1))}
    return found, None


def _number(text: str, field: Field) -> int | None:
    number = field.names.get(text.lower(), int(text) if text.isascii() and text.isdecimal() else -1)
    return number if field.first <= number <= field.last else None
