"""Databases, and who gets leased credentials of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from garrison import defaults as d
from garrison.errors import did_you_mean
from garrison.manifest import variable
from garrison.model.breach import Breach, Place
from garrison.model.texts import bytes_breaches, named, unpinned
from garrison.words import Ref

DatabaseRole = Literal["reader", "writer"]
STEP = re.compile(r"[0-9]{4}_[a-z0-9_]+")
UNSTORED = re.compile("[\0\ud800-\udfff]")  # neither PostgreSQL nor a ConfigMap has these
MAX_SCHEMA = 512 * 1024  # a ConfigMap holds a mebibyte
ROLES: tuple[str, ...] = get_args(DatabaseRole)
# Databases that PostgreSQL makes itself; words that pg_hba.conf reads as something else than a database; and `pg`,
# whose roles would begin with `pg_`, as only the server's own may.
TAKEN = ("all", "pg", "postgres", "replication", "samegroup", "samerole", "sameuser", "template0", "template1")


@dataclass(frozen=True, order=True)
class Database:
    """A PostgreSQL server of its own, reached only with leased credentials.

    `schema` has the steps that make its schema, each a name and its SQL, in their order.
    """

    ref: Ref
    image: str
    storage: str
    lease_seconds: int
    schema: tuple[tuple[str, str], ...] = ()

    def breaches(self, place: Place) -> Iterator[Breach]:
        yield from named(place, "database", self.ref)
        if self.ref.name in TAKEN:
            yield Breach(place, f"{self.ref.name!r} is PostgreSQL's own word", "give the database a name of its own")
        yield from unpinned(place, f"'{self.ref}'", self.image)
        yield from bytes_breaches(place, self.storage, "1Gi")
        if not 60 <= self.lease_seconds <= d.LEASE_SECONDS:
            what = f"'{self.ref}' would lease credentials for {self.lease_seconds} s"
            yield Breach(place, what, f"use 60 to {d.LEASE_SECONDS}")
        yield from self._schema(place)

    def _schema(self, place: Place) -> Iterator[Breach]:
        names = [name for name, _ in self.schema]
        if names != sorted(set(names)):
            yield Breach(place, f"the schema steps of '{self.ref}' are not in order", "name each once, in order")
        for name, text in self.schema:
            if not STEP.fullmatch(name) or not text.strip() or UNSTORED.search(text):
                what = f"'{self.ref}' has no schema step in {name!r}"
                yield Breach(place, what, "give a folder of files like '0001_accounts.sql', none of them empty")
        if sum(len(text.encode(errors="replace")) for _, text in self.schema) > MAX_SCHEMA:
            what = f"the schema of '{self.ref}' is too long"
            yield Breach(place, what, f"use at most {MAX_SCHEMA} bytes for all steps")


@dataclass(frozen=True, order=True)
class Use:
    """`service` gets leased credentials of `role` at `database`."""

    service: Ref
    database: Ref
    role: DatabaseRole

    @property
    def file(self) -> str:
        """The file of the credentials, among the service's secrets."""
        return f"{self.database.name}.json"

    @property
    def variable(self) -> str:
        """Where the service's application finds that file."""
        return f"{variable(self.database.name)}_FILE"

    def breaches(self, place: Place) -> Iterator[Breach]:
        if self.role not in ROLES:
            remedy = did_you_mean(self.role, ROLES, "use 'reader' or 'writer'")
            yield Breach(place, f"{self.role!r} is not a database role", remedy)
