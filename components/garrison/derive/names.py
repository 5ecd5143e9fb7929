"""The names by which one layer's objects mention another's, so that no layer imports its sibling."""

from __future__ import annotations

from garrison.words import Ref


def secret_name(ref: Ref) -> str:
    """The Secret that cert-manager keeps the certificate of a service or database in."""
    return f"{ref.name}-identity"


def label_of(host: str) -> str:
    """A host of the edge as a DNS label, for what is named after it."""
    return host.replace(".", "-")
