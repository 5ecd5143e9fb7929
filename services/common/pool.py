"""A small pool of database connections that follows its lease.

A connection made with credentials that have since changed is closed instead of used again, so a
rotated lease drains within one request each and no request ever fails because of it: work that lost
its connection is done once more on a fresh one. Repeating is safe, since nothing was committed or the
idempotency key shows that it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, LifoQueue
from typing import TypeVar

import psycopg
from psycopg import sql

from common.credentials import Credentials, CredentialsError, CredentialsFile
from common.log import logger
from common.problem import Problem

Result = TypeVar("Result")
Connection = psycopg.Connection[tuple[object, ...]]
Slot = tuple[Credentials, Connection] | None
WAIT_SECONDS = 2.0
# The database's own answers, not lost connections: asking again at once would only add to the load.
BUSY = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)


class Pool:
    """At most `size` connections; opened when needed, kept while their lease is the current one."""

    def __init__(self, file: CredentialsFile, size: int = 4) -> None:
        self._file = file
        self._slots: LifoQueue[Slot] = LifoQueue()
        self._size = size
        for _ in range(size):
            self._slots.put(None)

    def run(self, work: Callable[[Connection], Result]) -> Result:
        """`work` in one transaction; once more when the connection was lost under it."""
        try:
            return self._attempt(work)
        except psycopg.OperationalError as error:
            if isinstance(error, BUSY):
                raise self._away("available") from None
            logger.warning("database connection lost: %s", type(error).__name__)
        try:
            return self._attempt(work, renew=True)
        except psycopg.OperationalError as error:
            logger.warning("database unavailable: %s", type(error).__name__)
            raise self._away("available") from None

    def check(self, table: str) -> None:
        """A Problem unless the database answers and has its schema, of which `table` is one."""
        query = sql.SQL("SELECT FROM {} LIMIT 1").format(sql.Identifier(table))
        try:
            self.run(lambda connection: connection.execute(query))
        except psycopg.ProgrammingError:
            raise self._away("ready") from None

    def close(self) -> None:
        """Close every idle connection."""
        for _ in range(self._size):
            with suppress(Empty):
                _close(self._slots.get_nowait())

    def _attempt(self, work: Callable[[Connection], Result], *, renew: bool = False) -> Result:
        with self._connection(renew) as connection, connection.transaction():
            return work(connection)

    @contextmanager
    def _connection(self, renew: bool) -> Iterator[Connection]:
        try:
            slot = self._slots.get(timeout=WAIT_SECONDS)
        except Empty:
            raise Problem(503, "too many requests at once", kind="busy") from None
        kept: Slot = None
        try:
            slot = self._fresh(slot, renew)
            yield slot[1]
            kept = slot
        except psycopg.OperationalError:
            _close(slot)
            raise
        except Exception:
            kept = slot  # the transaction was rolled back; the connection is as good as before
            raise
        finally:
            self._slots.put(kept)

    def _fresh(self, slot: Slot, renew: bool) -> tuple[Credentials, Connection]:
        """The slot's connection if its lease is current, else a new one."""
        try:
            current = self._file.current()
        except CredentialsError as error:
            logger.warning("no database credentials: %s", error)
            raise self._away("available") from None
        if slot and slot[0] == current and not (renew or slot[1].closed):
            return slot
        _close(slot)
        return current, psycopg.connect(**dict(current.parameters), autocommit=True)

    def _away(self, what: str) -> Problem:
        name = self._file.schema
        return Problem(503, f"the {name} is not {what}", kind=f"{name}-unavailable")


class Store:
    """What a service keeps in a schema of its own; a Problem while the database is away."""

    def __init__(self, credentials: Path, *, schema: str, service: str, table: str) -> None:
        """`credentials` is the file of the lease, `table` one that has to be there."""
        self.pool = Pool(CredentialsFile(credentials, schema=schema, service=service))
        self._table = table

    def ready(self) -> None:
        """A Problem unless the database answers and has its schema."""
        self.pool.check(self._table)

    def close(self) -> None:
        """Let go of the connections."""
        self.pool.close()


def _close(slot: Slot) -> None:
    if slot:
        with suppress(psycopg.Error):
            slot[1].close()
