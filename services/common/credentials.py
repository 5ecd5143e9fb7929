"""A database's address and this service's lease, from a file that another process keeps current."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What a connection may cost: a request waits for seconds at most, never for minutes.
LIMITS = "-c statement_timeout=3000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=5000"
FIELDS = {
    "host": "host",
    "port": "port",
    "database": "dbname",
    "username": "user",
    "password": "password",
    "sslmode": "sslmode",
    "sslrootcert": "sslrootcert",
}


class CredentialsError(Exception):
    """The file is not there yet, or not whole."""


@dataclass(frozen=True)
class Credentials:
    """Connection parameters; two are equal when the file said the same. Never printed."""

    parameters: tuple[tuple[str, Any], ...]

    def __repr__(self) -> str:
        return "Credentials(...)"


class CredentialsFile:
    """Reads the file anew when it has changed (a lease was rotated)."""

    def __init__(self, path: Path, *, schema: str, service: str) -> None:
        """`schema` is where tables are looked for; `service` is what the database calls this client in its own log."""
        self.schema = schema
        self._path = path
        self._fixed = {
            "connect_timeout": 3,
            "application_name": service,
            "options": f"{LIMITS} -c search_path={schema}",
        }
        self._stamp: tuple[int, int, int] | None = None
        self._current: Credentials | None = None

    def current(self) -> Credentials:
        """What the file says now."""
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if self._current is None or stamp != self._stamp:
                self._current, self._stamp = self._parse(self._path.read_text()), stamp
        except (OSError, ValueError, TypeError) as error:
            raise CredentialsError(f"{self._path}: {type(error).__name__}") from None
        return self._current

    def _parse(self, text: str) -> Credentials:
        said = json.loads(text)
        if lacking := {"host", "database", "username"} - said.keys():
            raise ValueError(f"no {', '.join(sorted(lacking))}")
        found = {FIELDS[key]: value for key, value in said.items() if key in FIELDS}
        return Credentials(tuple(sorted({**found, **self._fixed}.items())))
