"""One right, and rules of RBAC that give many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

READING: Final = ("get", "list", "watch")
Rule = dict[str, list[str]]
Json = dict[str, Any]


@dataclass(frozen=True, order=True)
class Right:
    """`verb` at `resource` of `group`: in a namespace, or without one of the cluster; of one name, or of any."""

    namespace: str
    group: str
    resource: str
    verb: str
    name: str = ""

    def __str__(self) -> str:
        """As a person reads it: `patch networkpolicies.networking.k8s.io in namespace shop`."""
        base, _, part = self.resource.partition("/")
        what = ".".join(filter(None, (base, self.group))) + (f"/{part}" if part else "")
        words = [self.verb, what, self.name, f"in namespace {self.namespace}" if self.namespace else ""]
        return " ".join(filter(None, words))


def given(right: Right, rules: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one of the rules that hold where it is asked gives it."""
    return any(_gives(rule, right) for rule in rules)


def _gives(rule: Mapping[str, Any], right: Right) -> bool:
    def has(key: str, word: str) -> bool:
        return not {"*", word}.isdisjoint(rule.get(key) or ())

    named = not rule.get("resourceNames") or right.name in rule["resourceNames"]
    return named and has("verbs", right.verb) and has("apiGroups", right.group) and has("resources", right.resource)


def rules(rights: Iterable[Right]) -> list[Rule]:
    """The fewest rules that give exactly these, wherever they are; what is given for any name is not said by name."""
    everywhere = {replace(right, namespace="") for right in rights}
    wanted = {right for right in everywhere if not right.name or replace(right, name="") not in everywhere}
    verbs: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for right in wanted:
        verbs[right.group, right.resource, right.name].add(right.verb)
    names: dict[tuple[str, str, tuple[str, ...]], set[str]] = defaultdict(set)
    for (group, resource, name), allowed in verbs.items():
        names[group, resource, tuple(sorted(allowed))].add(name)
    resources: dict[tuple[str, tuple[str, ...], tuple[str, ...]], set[str]] = defaultdict(set)
    for (group, resource, may), called in names.items():
        for one in ({""} & called, called - {""}):
            if one:
                resources[group, tuple(sorted(one - {""})), may].add(resource)
    return [_rule(*key, sorted(plural)) for key, plural in sorted(resources.items())]


def _rule(group: str, names: tuple[str, ...], verbs: tuple[str, ...], resources: list[str]) -> Rule:
    """An empty list of names would mean all, and is left out."""
    called = {"resourceNames": [*names]} if names else {}
    return {"apiGroups": [group], "resources": resources, **called, "verbs": [*verbs]}
