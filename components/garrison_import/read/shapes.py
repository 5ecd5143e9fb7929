"""Parts of documents that nobody vetted: what has another shape than Kubernetes' is not there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def mapping(value: Any) -> Json:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Json]:
    """The mappings of a list; nothing else in it counts."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def within(value: Any, *names: str) -> Any:
    """What stands at the end of these names, one inside the other; None where the way ends before."""
    for name in names:
        value = mapping(value).get(name)
    return value


def word(value: Any) -> str:
    """A scalar as Kubernetes keeps text; empty for what is none."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int | float) else ""


def words(value: Any) -> tuple[str, ...]:
    """The scalars of a list."""
    return tuple(word(one) for one in value if not isinstance(one, Mapping | list)) if isinstance(value, list) else ()


def number(value: Any, otherwise: int = 0) -> int:
    """A whole number that is not negative; digits in quotes are one, too."""
    text = word(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise
