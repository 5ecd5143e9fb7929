"""Brings the schema up to date, once, however many replicas start together."""

from __future__ import annotations

from pathlib import Path

from psycopg import sql

from common.log import logger
from payments.pool import Connection

STEPS = sorted((Path(__file__).parent / "migrations").glob("*.sql"))
LOCK = 7_205_759_403_792_795  # any number, as long as every replica takes the same
OWNER = sql.Identifier("ledger_owner")


def migrate(connection: Connection) -> None:
    """Apply the steps that are missing, as the owner of the schema, in the caller's transaction."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(OWNER))
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS ledger"))
    connection.execute("CREATE TABLE IF NOT EXISTS ledger.step (name text PRIMARY KEY)")
    done = {row[0] for row in connection.execute("SELECT name FROM ledger.step")}
    for step in STEPS:
        if step.stem not in done:
            connection.execute(step.read_bytes())
            connection.execute("INSERT INTO ledger.step VALUES (%s)", [step.stem])
            logger.info("schema step %s applied", step.stem)
    connection.execute("RESET ROLE")
