"""Databases, and who gets leased credentials of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

from garrison import credentials
from garrison import defaults as d
from garrison.errors import did_you_mean
from garrison.manifest import variable
from garrison.model.breach import Breach, Place
from garrison.model.texts import UNSTORED, Pairs, bytes_breaches, fields, named, named_variable, unpinned
from garrison.words import Ref

DatabaseRole = Literal["reader", "writer"]
STEP = re.compile(r"[0-9]{4}_[a-z0-9_]+")
MAX_SCHEMA = 512 * 1024  # a ConfigMap holds a mebibyte
ROLES: tuple[str, ...] = get_args(DatabaseRole)
LEASED = ("username", "password")  # what a lease is
FACTS = ("host", "port", "database", "sslmode", "sslrootcert")  # what is the same for every lease
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
    env: Pairs = ()
    """The application's own variables: each a text with {path}, the place of the credentials as JSON, or a plain fact
    of the database."""
    files: Pairs = ()
    """Variables that each name a file, and its text, with the credentials and the facts in it."""

    @property
    def file(self) -> str:
        """The file of the credentials as JSON, among the service's secrets."""
        return f"{self.database.name}.json"

    @property
    def told(self) -> Pairs:
        """The variables; where nothing was said, one that names that file."""
        return self.env if self.env or self.files else ((f"{variable(self.database.name)}_FILE", "{path}"),)

    @property
    def has_json(self) -> bool:
        return any("path" in fields(text) for _, text in self.told)

    def breaches(self, place: Place) -> Iterator[Breach]:
        if self.role not in ROLES:
            remedy = did_you_mean(self.role, ROLES, "use 'reader' or 'writer'")
            yield Breach(place, f"{self.role!r} is not a database role", remedy)
        for name, text in (*self.env, *self.files):
            yield from named_variable(place, name)
            if credentials.inside(text):
                yield Breach(place, f"{name} looks as if it had a credential in it", "write {username} and {password}")
        for name, text in self.env:
            if fields(text) & {*LEASED, "value"}:
                what = f"{name}={text!r} would keep leased credentials that end within the hour"
                remedy = f"let it name a file, which is kept fresh: files={{{name + '_FILE'!r}: {text!r}}}"
                yield Breach(place, what, remedy)
            elif not fields(text) or not fields(text) <= {"path", *FACTS}:
                what = f"{name}={text!r} does not say what of the database it is"
                yield Breach(place, what, f"write one of {_braced('path', *FACTS)}, and no other brace")
        for name, text in self.files:
            if not fields(text) & {*LEASED} or not fields(text) <= {*LEASED, *FACTS} or UNSTORED.search(text):
                what = f"the file of {name} does not say where the credentials belong"
                yield Breach(place, what, f"write {_braced(*LEASED)} and of {_braced(*FACTS)} what is needed")


def merged(uses: Iterable[Use]) -> Iterator[Use]:
    """One for each service, database and role, with all the variables said about it."""
    said: dict[tuple[Ref, Ref, str], set[Use]] = {}
    for use in uses:
        said.setdefault((use.service, use.database, use.role), set()).add(use)
    for rows in said.values():
        one = next(iter(rows))
        env = tuple(sorted({pair for row in rows for pair in row.told}))
        files = tuple(sorted({pair for row in rows for pair in row.files}))
        yield one if len(rows) == 1 else replace(one, env=env, files=files)


def _braced(*names: str) -> str:
    return ", ".join(f"{{{name}}}" for name in names)
