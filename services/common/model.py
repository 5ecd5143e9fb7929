"""Values several services speak of. Money is whole minor units (cents); no float ever holds it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

# Far above any order here and far below what a 64-bit sum of many could overflow.
MAX_AMOUNT = 10**12

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code")]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
IdempotencyKey = Annotated[
    str,
    Header(
        pattern=r"^[A-Za-z0-9_-]{1,128}$",
        description="the same key with the same body has its effect once",
    ),
]


def _whole(value: object) -> object:
    """A number without a fraction is an integer, however it is written (JSON Schema 2020-12, section 4.2.3)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# To be put around a strict integer: text and booleans are none.
Whole = BeforeValidator(_whole)


class Closed(BaseModel):
    """A request or answer with exactly the fields it names; never changed once made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Money(Closed):
    """A positive amount."""

    amount: Annotated[int, Field(strict=True, gt=0, le=MAX_AMOUNT, description="minor units"), Whole]
    currency: Currency
