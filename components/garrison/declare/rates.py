"""Saying how often: `Rate.per_minute(30, per="user")`."""

from __future__ import annotations

from garrison.model.rates import SECONDS, Per
from garrison.model.rates import Rate as Value


class Rate(Value):
    """At most so many requests in a time; so many may come at once, and then as many as the time gives back."""

    @classmethod
    def per_second(cls, requests: int, *, per: Per) -> Value:
        """`per` is "user" (the token's subject), "address" (the client's) or "all"."""
        return Value(requests, SECONDS["second"], per)

    @classmethod
    def per_minute(cls, requests: int, *, per: Per) -> Value:
        """As `per_second`, in a minute."""
        return Value(requests, SECONDS["minute"], per)

    @classmethod
    def per_hour(cls, requests: int, *, per: Per) -> Value:
        """As `per_second`, in an hour."""
        return Value(requests, SECONDS["hour"], per)
