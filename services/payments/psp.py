"""The payment provider, as somebody else's API: it takes and gives money once per idempotency key, or declines."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

from pydantic import BaseModel

from common.client import Callee, Refused
from common.log import logger
from common.model import Closed, Currency, Money
from common.problem import Problem


class Declined(Exception):
    """The provider said no for good: under this key nothing moved, and nothing will."""


class Charge(Closed):
    """What it is asked to take."""

    reference: str
    amount: int
    currency: Currency


class Refund(Closed):
    """What it is asked to give back of a charge of its own."""

    charge: str
    amount: int
    currency: Currency


class Done(BaseModel):
    """Its answer, as far as it matters here."""

    id: str
    amount: int
    currency: str


class Provider:
    """Failures are those of `common.client`; after one of them nobody knows whether money moved."""

    def __init__(self, callee: Callee) -> None:
        self._callee = callee

    def charge(self, id: UUID, reference: str, amount: Money) -> str:
        """Take money for the movement `id`; the provider's own name for what it did."""
        return self._ask("/v1/charges", id, Charge(reference=reference, **dict(amount)))

    def refund(self, id: UUID, charge: str, amount: Money) -> str:
        """Give back money of a charge that the provider calls so."""
        return self._ask("/v1/refunds", id, Refund(charge=charge, **dict(amount)))

    def close(self) -> None:
        """Let go of the connections."""
        self._callee.close()

    def _ask(self, path: str, id: UUID, asked: Charge | Refund) -> str:
        try:
            done = self._callee.post(path, asked, Done, key=str(id))
        except Refused as refused:
            if refused.status == HTTPStatus.PAYMENT_REQUIRED:
                raise Declined(refused.detail) from None
            raise Problem(502, f"psp answered with {refused.status}", kind="callee-failed") from None
        if (done.amount, done.currency) != (asked.amount, asked.currency):
            raise Problem(502, "psp moved another amount", kind="callee-failed")
        return done.id


def key(file: Path) -> Callable[[], str]:
    """What shows the provider who asks: read when needed, never kept, so that a rotated key is in force at once."""

    def authorization() -> str:
        try:
            found = file.read_text().strip()
        except (OSError, ValueError) as error:
            logger.warning("no provider key: %s", type(error).__name__)
            found = ""
        if not found:
            raise Problem(503, "the payment provider's key is not available", kind="no-psp-key")
        return f"Bearer {found}"

    return authorization
