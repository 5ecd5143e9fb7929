"""What an observation means for its probe: as declared, further than it may go, or nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from garrison.prove.model import Layer, Probe, Result, Seen

DEPTH: tuple[Layer, ...] = (  # how far a refused probe got
    "workload",  # also what a pod that is being stopped looks like
    "network",
    "identity",
    "authorization",
    "store",
    "database",
    "rbac",
    "admission",
    "entry",
    "token",
    "claims",
    "limit",
    "contract",
)


def leaked(result: Result) -> bool:
    """It got further than it may, once: no later refusal takes that back."""
    probe, seen = result.probe, result.seen
    if not probe.layers or seen.verdict == "error":
        return False
    if seen.layer is None:
        return seen.verdict == "allowed"
    return _depth(seen.layer) > max(map(_depth, probe.layers))


def _depth(layer: Layer) -> int:
    """Neither of the first two is further than the other: what nothing listens at may still be closed, or be ending."""
    return max(DEPTH.index(layer), DEPTH.index("network"))


def gave_way(result: Result) -> bool:
    """A probe that got further than it may, or not as far as it must; not one that met a pod on its way out."""
    if result.seen.verdict == "error" or result.ok:
        return False
    return leaked(result) or result.probe.expected == "allowed"


def worst(probe: Probe, seen: Sequence[Seen]) -> Seen:
    """What counts of one attempt from and at every replica: the one that deviates most, and how many there were."""
    counts = max(seen, key=lambda one: _deviation(Result(probe, one)))
    return replace(counts, looks=sum(one.looks for one in seen))


def _deviation(result: Result) -> int:
    if leaked(result):
        return 3
    if result.ok:
        return 0
    return 1 if result.seen.verdict == "error" else 2
