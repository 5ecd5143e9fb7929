"""What the claims service takes and gives, and what it understands of its callees' answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from common.model import Closed, Identifier, Money


class ClaimRequest(Closed):
    """Pay `amount` of a charge back, because a cover says so."""

    cover_id: Identifier
    charge_id: Identifier
    amount: Money


class Claim(Closed):
    """A settled claim."""

    id: str
    cover_id: str
    charge_id: str
    amount: Money
    refund_id: str
    state: Literal["settled"] = "settled"


class Cover(BaseModel):
    """Cover's answer, as far as it matters here."""

    id: str
    limit: Money
    state: str


class RefundRequest(Closed):
    """What payments is asked."""

    charge_id: str
    amount: Money


class Refund(BaseModel):
    """Payments' answer."""

    id: str
    amount: Money
