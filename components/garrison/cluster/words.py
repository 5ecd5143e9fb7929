"""What a name and a number are, for every part of a cluster's description."""

from __future__ import annotations

from typing import Any

from garrison.words import DNS_NAME


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(DNS_NAME.fullmatch(value))
