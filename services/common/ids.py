"""Ids that follow from what they are for."""

from __future__ import annotations

from uuid import UUID, uuid5

NAMESPACE = UUID("6f1d3c5e-52f0-5a1e-9d57-7f3a0c2b9e41")


def derived_id(kind: str, key: str) -> str:
    """An id that follows from the idempotency key, so that a repetition gives it too, in whatever replica."""
    return str(uuid5(NAMESPACE, f"{kind}:{key}"))
