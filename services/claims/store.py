"""The register of claims: what was decided for each request, what of a cover is spoken for, and what is settled."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Protocol

from psycopg.errors import ForeignKeyViolation

from claims.model import Claim, ClaimRequest, Cover
from common import once
from common.once import Kept
from common.pool import Connection, Store
from common.problem import Problem


class Keeper(Protocol):
    """Where claims are kept; a Problem while that is away."""

    def begun(self, key: str, request: ClaimRequest) -> Cover | None: ...
    def begin(self, key: str, request: ClaimRequest, cover: Cover) -> Cover: ...
    def reserve(self, key: str, request: ClaimRequest, cover: Cover) -> None: ...
    def release(self, key: str) -> None: ...
    def record(self, key: str, kept: Kept[Claim]) -> Claim: ...
    def find(self, id: str, /) -> Kept[Claim] | None: ...
    def ready(self) -> None: ...
    def close(self) -> None: ...


class Register(Store):
    """Claims in PostgreSQL; each method is one transaction."""

    def __init__(self, credentials: Path) -> None:
        super().__init__(credentials, schema="register", service="claims", table="settled")

    def begun(self, key: str, request: ClaimRequest) -> Cover | None:
        """The cover as it was when this request first came; a Problem where the key was another request's."""
        return self.pool.run(lambda connection: once.begun(connection, key, request, Cover))

    def begin(self, key: str, request: ClaimRequest, cover: Cover) -> Cover:
        """The cover that holds for this request from now on: as it was first found."""
        return self.pool.run(lambda connection: once.begin(connection, key, request, cover))

    def reserve(self, key: str, request: ClaimRequest, cover: Cover) -> None:
        """Speak for the amount, once; a Problem where it would be beyond the cover's limit."""
        self.pool.run(lambda connection: reserve(connection, key, request, cover))

    def release(self, key: str) -> None:
        """Give back what was spoken for in vain; what is settled stays."""
        with suppress(ForeignKeyViolation):  # another request with this key has settled it
            self.pool.run(lambda connection: connection.execute("DELETE FROM reserved WHERE key = %s", [key]))

    def record(self, key: str, kept: Kept[Claim]) -> Claim:
        """Keep a refunded claim, once; the one that is kept."""
        return self.pool.run(lambda connection: _record(connection, key, kept))

    def find(self, id: str) -> Kept[Claim] | None:
        """One claim, None where there is none."""
        return self.pool.run(lambda connection: _find(connection, id))


SPEAK = "INSERT INTO reserved (key, cover_id, amount, currency) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING"


def reserve(connection: Connection, key: str, request: ClaimRequest, cover: Cover) -> None:
    """Speak for the amount in the transaction that is under way."""
    # Claims on one cover wait for each other here, so that each sees what those before it spoke for.
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [request.cover_id])
    within = connection.execute(
        "SELECT coalesce(sum(amount), 0) + %s <= %s FROM reserved WHERE cover_id = %s AND key <> %s",
        [request.amount.amount, cover.limit.amount, request.cover_id, key],
    ).fetchone()
    if within != (True,):
        raise Problem(422, "the claim is beyond the limit of its cover", kind="beyond-limit")
    connection.execute(SPEAK, [key, request.cover_id, request.amount.amount, request.amount.currency])


def _record(connection: Connection, key: str, kept: Kept[Claim]) -> Claim:
    claim, owner = kept.record, kept.owner
    # What is paid counts, also where another request with this key was refused meanwhile and gave it back.
    connection.execute(SPEAK, [key, claim.cover_id, claim.amount.amount, claim.amount.currency])
    connection.execute(
        "INSERT INTO settled (id, key, issuer, subject, charge_id, refund_id) VALUES (%s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (id) DO NOTHING",
        [claim.id, key, owner.get("issuer"), owner.get("subject"), claim.charge_id, claim.refund_id],
    )
    found = _find(connection, claim.id)
    return found.record if found else claim


def _find(connection: Connection, id: str) -> Kept[Claim] | None:
    row = connection.execute(
        "SELECT cover_id, charge_id, amount, currency, refund_id, issuer, subject"
        " FROM settled JOIN reserved USING (key) WHERE id = %s",
        [id],
    ).fetchone()
    if row is None:
        return None
    cover_id, charge_id, amount, currency, refund_id, issuer, subject = row
    claim = Claim.model_validate(
        {
            "id": id,
            "cover_id": cover_id,
            "charge_id": charge_id,
            "refund_id": refund_id,
            "amount": {"amount": amount, "currency": currency},
        }
    )
    return once.kept(claim, issuer, subject)
