"""How hosts outside are reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from garrison.cluster.ranges import allowed_range_problems, closed_range_problems
from garrison.cluster.words import is_name, is_whole
from garrison.errors import Problem


@dataclass(frozen=True, kw_only=True)
class Egress:
    """How hosts outside are reached from this cluster, where the graph has any."""

    allowed: tuple[str, ...] = ()
    """Ranges that are not of the internet and may be reached nevertheless: a provider in a private network."""
    closed: tuple[str, ...] = ()
    """Ranges of the internet that are this cluster's own, such as public addresses of its nodes; beside `api_server`"""
    authorities: tuple[tuple[str, str], ...] = ()
    """Who vouches for a host, as host and PEM text; without, the authorities that the image's system trusts."""
    replicas: int = 2
    """Of the gateway."""


def problems(egress: Any) -> Iterator[Problem]:
    if not isinstance(egress, Egress):
        yield Problem("egress", f"{egress!r} is not an Egress", "give allowed, closed, authorities, replicas")
        return
    for name, problems in (("allowed", allowed_range_problems), ("closed", closed_range_problems)):
        where, ranges = f"egress.{name}", getattr(egress, name)
        if isinstance(ranges, tuple):
            for cidr in ranges:
                yield from problems(where, cidr)
        else:
            yield Problem(where, "is not a list of address ranges", "use one such as 10.1.2.3/32")
    pairs = egress.authorities if isinstance(egress.authorities, tuple) else (egress.authorities,)
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            yield Problem("egress.authorities", "does not pair hosts with authorities", "give a host and PEM text each")
        elif not is_name(pair[0]) or "-----BEGIN CERTIFICATE-----" not in pair[1]:
            yield Problem("egress.authorities", f"{pair[0]!r} has no authority", "give a certificate as PEM text")
    if not is_whole(egress.replicas) or not 1 <= egress.replicas <= 100:
        yield Problem("egress.replicas", f"{egress.replicas!r} replicas of the gateway", "use 1 to 100")


def read(said: dict[str, Any]) -> Egress:
    """From JSON, whose fields are known; what does not fit is left for `problems` to tell."""
    lists = {key: tuple(value) for key, value in said.items() if isinstance(value, list) and key != "authorities"}
    pairs = said.get("authorities", ())
    whole = isinstance(pairs, list) and all(isinstance(pair, list) for pair in pairs)
    return Egress(**said | lists | {"authorities": tuple(tuple(pair) for pair in pairs) if whole else pairs})
