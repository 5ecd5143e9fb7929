"""Saying which databases there are, and who gets credentials of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from garrison import defaults
from garrison.declare.namespaces import Home
from garrison.declare.statements import Speaker, Statement, verb, where
from garrison.declare.variables import Env, texts
from garrison.model import databases as model
from garrison.model.databases import DatabaseRole, Use
from garrison.words import Ref


@dataclass(frozen=True)
class DatabaseStatement(Statement):
    row = "databases"
    ref: Ref
    image: str
    storage: str
    lease_seconds: int
    schema: tuple[tuple[str, str], ...] = ()

    def value(self) -> model.Database:
        return model.Database(self.ref, self.image, self.storage, self.lease_seconds, self.schema)


@dataclass(frozen=True)
class UseStatement(Statement):
    row = "uses"
    service: Ref
    database: Ref | str
    role: DatabaseRole
    env: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()

    def value(self) -> Use:
        return Use(self.service, Ref.near(self.database, self.service), self.role, self.env, self.files)


@dataclass(frozen=True)
class Database:
    """A declared PostgreSQL database."""

    ref: Ref


class Databases(Home):
    @verb
    def postgres(
        self,
        name: str,
        *,
        image: str | None = None,
        storage: str = defaults.DATABASE_STORAGE,
        lease_seconds: int = defaults.LEASE_SECONDS,
        schema: str | Path | None = None,
    ) -> Database:
        """Declare a PostgreSQL database of that name; `image` defaults to the App's `postgres` image.

        Credentials are leases of `lease_seconds` (60 to 3600; an hour by default, never longer). `schema` is a folder
        of steps, `0001_name.sql` and so on: the database applies each once, in their order, as the owner of its
        schema, when it starts. No lease may become that owner, so no workload changes a schema.
        """
        ref, pen = self.place(name)
        chosen = pen.image("postgres") if image is None else image
        pen.add(DatabaseStatement(where(), ref, chosen, storage, lease_seconds, _steps(schema)))
        return Database(ref)


def _steps(folder: Any) -> Any:
    """Name and text of each step; a folder that gives none is one without text, which is refused with its line."""
    if folder is None or not isinstance(folder, str | Path):
        return () if folder is None else folder
    try:
        steps = tuple((file.stem, file.read_text(encoding="utf-8")) for file in sorted(Path(folder).glob("*.sql")))
    except (OSError, ValueError):
        steps = ()
    return steps or ((str(folder), ""),)


class Uses(Speaker):
    @verb
    def uses(
        self,
        database: Database | str,
        *,
        role: DatabaseRole,
        env: Env | None = None,
        files: Mapping[str, str] | None = None,
    ) -> None:
        """Give this service leased credentials of `role` (`"reader"` or `"writer"`) at a database.

        They are a JSON file, which `LEDGER_FILE` names and which changes when the lease does; `env="DB_FILE"` is
        another name for that variable. `files={"DSN_FILE": "postgresql://{username}:{password}@{host}:{port}/{database}"}`
        are files in the application's own form, each named by its variable. `env={"PGHOST": "{host}"}` says what is
        the same for every lease: `{host}`, `{port}`, `{database}`, `{sslmode}`, `{sslrootcert}`. Credentials in a
        variable are refused: it would keep them after their end.
        """
        target = database.ref if isinstance(database, Database) else database
        told, named = texts(env, "{path}"), texts(files, "")
        self._pen.add(UseStatement(where(), self.ref, target, role, told, named))
