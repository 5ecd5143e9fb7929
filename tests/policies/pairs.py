"""All pairs: two inputs that differ in one thing, of which a control accepts one and refuses the other."""

from __future__ import annotations

import functools

from garrison_policies.language.objects import Object
from policies import pairs_edge, pairs_identity, pairs_network, pairs_pods, pairs_rights, pairs_upkeep
from policies.fixtures import objects
from policies.written import Pair

PAIRS: list[Pair] = [
    pair
    for family in (pairs_rights, pairs_identity, pairs_network, pairs_edge, pairs_upkeep, pairs_pods)
    for pair in family.PAIRS
]


@functools.cache
def shown() -> tuple[Object, ...]:
    """Every object of every pair."""
    both = (one for _, _, accepted, refused in PAIRS for one in (accepted, refused))
    texts = (text for one in both for text in ([one] if isinstance(one, str) else one))
    return tuple(item for text in texts for item in objects(text, "pairs"))
