"""Databases of the estate on a real PostgreSQL: each with its roles and its schema, entered with leases."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg

from harness import paths
from harness.postgres import Server

SCHEMAS = paths.REPO / "stacks" / "schema"
PASSWORD = "planted-password"


def make_roles(server: Server) -> None:
    """Those of every database that stacks/estate.py declares, as they are derived."""
    with psycopg.connect(server.conninfo, autocommit=True) as admin:
        for folder in SCHEMAS.iterdir():
            for role, more in (("owner", ""), ("reader", ""), ("writer", "NOINHERIT")):
                admin.execute(f"CREATE ROLE {folder.name}_{role} NOLOGIN {more}")


@dataclass
class Database:
    """A database of its own, and a lease file that follows."""

    server: Server
    schema: str
    database: str
    lease_file: Path
    role: str = "writer"

    @classmethod
    def make(cls, server: Server, schema: str, folder: Path, role: str = "writer") -> Database:
        """A new one with its schema and a first lease."""
        made = cls(server, schema, f"{schema}_{uuid4().hex[:8]}", folder / f"{schema}.json", role)
        with psycopg.connect(server.conninfo, autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {made.database} OWNER {schema}_owner")
        with made.admin() as admin:
            admin.execute(f"SET ROLE {schema}_owner")
            for step in sorted((SCHEMAS / schema).glob("*.sql")):
                admin.execute(step.read_bytes())
        made.lease()
        return made

    def admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host=str(self.server.home), user="postgres", dbname=self.database, autocommit=True)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with self.admin() as admin:
            return admin.execute(query).fetchall()

    def lease(self, role: str = "") -> str:
        """Grant a new lease and put it in the file, as the agent does: written beside, then renamed."""
        user, whole = f"lease_{uuid4().hex[:8]}", f"{self.schema}_{role or self.role}"
        with self.admin() as admin:
            admin.execute(f"CREATE ROLE \"{user}\" LOGIN PASSWORD '{PASSWORD}' IN ROLE {whole}")
        said = {"host": str(self.server.home), "port": 5432, "database": self.database}
        fresh = self.lease_file.with_suffix(".new")
        fresh.write_text(json.dumps({**said, "username": user, "password": PASSWORD}))
        fresh.replace(self.lease_file)
        return user

    def revoke(self, user: str) -> None:
        """What the secret store does at the end of a lease."""
        with self.admin() as admin:
            admin.execute(f'ALTER ROLE "{user}" NOLOGIN')
            admin.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = %s", [user])
            admin.execute(f'DROP ROLE "{user}"')
