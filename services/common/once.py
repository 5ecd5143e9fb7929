"""Requests by their idempotency key, and what was decided when each first came: the table `request` of a schema.

The decision is committed before anything is asked for that cannot be taken back, and what came of it is a record of
the service's own that refers to the key. A repetition, meanwhile or after a crash, in this replica or another, goes on
with the first decision. So nobody waits for anybody: two who work on one key ask the same of others, under keys that
follow from it, and the second to record it finds the first one's record.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from psycopg.types.json import Jsonb
from pydantic import BaseModel

from common.pool import Connection
from common.problem import Problem

Decision = TypeVar("Decision", bound=BaseModel)
Record = TypeVar("Record", bound=BaseModel)


@dataclass(frozen=True)
class Kept(Generic[Record]):
    """What came of a request, and whose it is, as `context.owner` says it and rules ask for it."""

    record: Record
    owner: dict[str, str] = field(default_factory=dict)


def fingerprint(request: BaseModel) -> str:
    """Of what was asked; a field that is left out is one with its default, also one that comes with a later version."""
    return hashlib.sha256(request.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def begun(connection: Connection, key: str, request: BaseModel, decision: type[Decision]) -> Decision | None:
    """What was decided for `key`, None where it is new; a Problem where it was used for another request."""
    row = connection.execute("SELECT fingerprint, decision FROM request WHERE key = %s", [key]).fetchone()
    if row is None:
        return None
    if row[0] != fingerprint(request):
        raise Problem(422, "this key was used for another request", kind="key-reused")
    return decision.model_validate(row[1])


def begin(connection: Connection, key: str, request: BaseModel, decided: Decision) -> Decision:
    """The decision that holds for `key` from now on: this one, unless another came first."""
    connection.execute(
        "INSERT INTO request (key, fingerprint, decision) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [key, fingerprint(request), Jsonb(decided.model_dump(mode="json"))],
    )
    return begun(connection, key, request, type(decided)) or decided


def kept(record: Record, issuer: object, subject: object) -> Kept[Record]:
    """A record with the owner that its columns say; nobody's where they say nothing."""
    return Kept(record, {} if subject is None else {"subject": str(subject), "issuer": str(issuer)})
