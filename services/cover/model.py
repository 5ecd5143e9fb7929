"""What the cover service asks for and answers with, and how a premium follows from a value."""

from __future__ import annotations

from enum import StrEnum

from common.model import Closed, Identifier, Money

# One per cent of the insured value, rounded up, and never less than half a unit of the currency.
RATE_DIVISOR = 100
LEAST_PREMIUM = 50


class QuoteRequest(Closed):
    """A shipment to insure: `reference` is the order it belongs to."""

    reference: Identifier
    value: Money


class Quote(Closed):
    """An offer; the same request always gets the same one."""

    id: str
    reference: str
    value: Money
    premium: Money


class CoverRequest(Closed):
    """Take up a quote."""

    quote_id: Identifier


class State(StrEnum):
    """Only an active cover pays."""

    ACTIVE = "active"
    LAPSED = "lapsed"


class Cover(Closed):
    """An insurance in force, or one that was."""

    id: str
    reference: str
    limit: Money
    state: State


def premium(value: Money) -> Money:
    """What it costs to insure `value`."""
    amount = max(LEAST_PREMIUM, -(-value.amount // RATE_DIVISOR))
    return Money(amount=amount, currency=value.currency)
