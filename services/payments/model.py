"""What the payments service takes and gives."""

from __future__ import annotations

from uuid import UUID

from common.model import Closed, Identifier, Money


class ChargeRequest(Closed):
    """Take `amount` for what `reference` names."""

    reference: Identifier
    amount: Money


class Charge(Closed):
    """Money taken, and how much of it has been given back."""

    id: UUID
    reference: str
    amount: Money
    refunded: int = 0
    psp_reference: str


class RefundRequest(Closed):
    """Give part or all of a charge back."""

    charge_id: UUID
    amount: Money


class Refund(Closed):
    """Money given back."""

    id: UUID
    charge_id: UUID
    amount: Money
    psp_reference: str
