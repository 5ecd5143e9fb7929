"""Pods that nobody writes down: an operator makes them for a custom resource, with labels it says or is called by."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from garrison_policies.language.kinds import GROUPS
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.selectors import Json, selects
from garrison_policies.language.workloads import namespace

# What only configures somebody else: names of kinds end alike, whoever they are of.
_SETTINGS = re.compile(
    r"(Monitor|Probe|Rule|Rules|Route|TCP|UDP|Policy|Binding|Class|Config|Configuration|Request|Certificate|Issuer"
    r"|Secret|Store|Entry|Middleware|Gateway|Release|Repository|Application|Kustomization|Peer|Definition|Template)$"
)


class Operated:
    """The custom resources of each namespace that may stand for pods."""

    def __init__(self, inventory: Inventory) -> None:
        self._by: dict[str, list[Object]] = defaultdict(list)
        for item in inventory.objects:
            if "." in item.group and item.known_as not in GROUPS and not _SETTINGS.search(item.kind):
                self._by[namespace(item)].append(item)

    def may_make(self, place: str, selector: Json) -> bool:
        """Whether the pods `selector` speaks of may be some operator's.

        A resource says their labels somewhere in itself, or one label is its own name: `cnpg.io/cluster: orders`.
        """
        return any(
            any(selects(selector, labels) for labels in _labels(item.body.get("spec")))
            or item.name in _demanded(selector)
            for item in self._by.get(place, ())
        )


def _labels(value: Any) -> Iterator[Json]:
    for key, part in value.items() if isinstance(value, Mapping) else ():
        if str(key).lower().endswith("labels") and isinstance(part, Mapping):
            yield part
        yield from _labels(part)
    for part in value if isinstance(value, list) else ():
        yield from _labels(part)


def _demanded(selector: Json) -> set[str]:
    """The values of labels it asks for."""
    said, expressions = selector.get("matchLabels"), selector.get("matchExpressions")
    found = [*said.values()] if isinstance(said, Mapping) else []
    for one in expressions if isinstance(expressions, list) else ():
        if isinstance(one, Mapping) and one.get("operator") == "In" and isinstance(one.get("values"), list):
            found += one["values"]
    return {value for value in found if isinstance(value, str)}
