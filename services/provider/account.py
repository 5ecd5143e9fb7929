"""What one merchant has at the provider: charges and refunds, each once per idempotency key. Kept in memory."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

LIMIT = 5_000_000  # minor units: what a card is good for at once
GREATEST = 10**12  # above it, a number is a mistake
CAPACITY = 10_000  # the oldest are forgotten first
WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
CURRENCY = re.compile(r"[A-Z]{3}")
Json = dict[str, Any]


class Refused(Exception):
    """Nothing moved, and why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(frozen=True)
class Charge:
    """Money taken, and how much of it was given back."""

    id: str
    reference: str
    amount: int
    currency: str
    refunded: int = 0


class Account:
    """A request and its key have one outcome, a refusal included: asked again they get the same."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._guard = threading.Lock()
        self._charges: dict[str, Charge] = {}
        self._kept: dict[str, tuple[str, Json | Refused]] = {}

    def charge(self, key: str, body: Json) -> Json:
        """Take money."""
        return self._once("charge", key, body)

    def refund(self, key: str, body: Json) -> Json:
        """Give money of a charge back."""
        return self._once("refund", key, body)

    def find(self, id: str) -> Json:
        """One charge."""
        if id not in self._charges:
            raise Refused(404, f"there is no charge {id}")
        return vars(self._charges[id])

    def of(self, reference: str) -> list[Json]:
        """Every charge that the merchant calls so."""
        with self._guard:
            return [vars(one) for one in self._charges.values() if one.reference == reference]

    def _once(self, what: str, key: str, body: Json) -> Json:
        if not WORD.fullmatch(key):
            raise Refused(400, "an idempotency-key has 1 to 64 letters, digits, '-' and '_'")
        asked = json.dumps([what, body], sort_keys=True)
        with self._guard:
            if key not in self._kept:
                self._kept[key] = asked, self._outcome(what, body)
                _forget(self._kept)
            before, outcome = self._kept[key]
        if before != asked:
            raise Refused(409, "this key was used for another request")
        if isinstance(outcome, Refused):
            raise Refused(outcome.status, outcome.detail)
        return outcome

    def _outcome(self, what: str, body: Json) -> Json | Refused:
        amount, currency = _money(body)  # what is no request at all is not kept
        try:
            return self._charged(body, amount, currency) if what == "charge" else self._refunded(body, amount, currency)
        except Refused as refused:
            if refused.status == 400:
                raise
            return refused

    def _charged(self, body: Json, amount: int, currency: str) -> Json:
        reference = _word(body, "reference")
        if amount > self._limit:
            raise Refused(402, "the card is not good for this amount")
        made = Charge(f"ch-{uuid4().hex}", reference, amount, currency)
        self._charges[made.id] = made
        _forget(self._charges)
        return vars(made)

    def _refunded(self, body: Json, amount: int, currency: str) -> Json:
        found = self._charges.get(id := _word(body, "charge"))
        if found is None:
            raise Refused(402, f"there is no charge {id}")
        if found.currency != currency or found.refunded + amount > found.amount:
            raise Refused(402, "that is more than is left of the charge")
        self._charges[id] = replace(found, refunded=found.refunded + amount)
        return {"id": f"re-{uuid4().hex}", "charge": id, "amount": amount, "currency": currency}


def _money(body: Json) -> tuple[int, str]:
    amount, currency = body.get("amount"), body.get("currency")
    if not isinstance(amount, int) or isinstance(amount, bool) or not 0 < amount <= GREATEST:
        raise Refused(400, "amount is a whole number of minor units above zero")
    if not isinstance(currency, str) or not CURRENCY.fullmatch(currency):
        raise Refused(400, "currency is a code of ISO 4217")
    return amount, currency


def _word(body: Json, name: str) -> str:
    word = body.get(name)
    if not isinstance(word, str) or not WORD.fullmatch(word):
        raise Refused(400, f"{name} has 1 to 64 letters, digits, '-' and '_'")
    return word


def _forget(kept: dict[str, Any]) -> None:
    while len(kept) > CAPACITY:
        del kept[next(iter(kept))]
