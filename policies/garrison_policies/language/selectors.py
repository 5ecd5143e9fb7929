"""Kubernetes label selectors: what one selects, and two indexes that answer without trying everything.

An inventory may hold ten thousand workloads and as many policies and services, so nothing here compares each with
each. A selector is looked up by one label it demands, the rarest; only what has that label is tried. That the
indexes answer like the plain comparison is a property test (tests/policies/test_selectors.py).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

Json = Mapping[str, Any]
Item = TypeVar("Item")
_Pair = tuple[str, str, Any]  # namespace, key, value


def selects(selector: Json, labels: Json) -> bool:
    """Whether all of matchLabels and matchExpressions hold for `labels`; the empty selector selects everything."""
    return all(labels.get(key) == value for key, value in _mapping(selector.get("matchLabels")).items()) and all(
        _holds(one, labels) for one in _list(selector.get("matchExpressions"))
    )


def is_empty(selector: Json) -> bool:
    """Whether it demands nothing, and so selects everything."""
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def by_labels(labels: Any) -> Json:
    """The selector of kinds that write only labels: Service, ReplicationController, DeploymentConfig."""
    return {"matchLabels": _mapping(labels)}


def _holds(expression: Any, labels: Json) -> bool:
    """One requirement of matchExpressions; an operator Kubernetes does not know selects nothing."""
    one = _mapping(expression)
    key, values = str(one.get("key")), _list(one.get("values"))
    match one.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


class Labelled(Generic[Item]):
    """Things with labels in namespaces, to be found by selector."""

    def __init__(self, items: Iterable[tuple[str, Json, Item]]) -> None:
        self._all: dict[str, list[tuple[Json, Item]]] = defaultdict(list)
        self._with: dict[_Pair, list[tuple[Json, Item]]] = defaultdict(list)
        for namespace, labels, item in items:
            self._all[namespace].append((labels, item))
            for key, value in labels.items():
                self._with[namespace, key, _hashable(value)].append((labels, item))

    def matching(self, namespace: str, selector: Json) -> Iterator[Item]:
        """What `selector` selects in `namespace`."""
        demanded = _demands(selector)
        lists = [self._with.get((namespace, key, value), []) for key, value in demanded]
        for labels, item in min(lists, key=len) if lists else self._all.get(namespace, []):
            if selects(selector, labels):
                yield item


class Selectors(Generic[Item]):
    """Things with a selector in namespaces, to be found by the labels they select."""

    def __init__(self, items: Iterable[tuple[str, Json, Item]]) -> None:
        entries = [(namespace, selector, _demands(selector), item) for namespace, selector, item in items]
        common = Counter((namespace, *pair) for namespace, _, pairs, _ in entries for pair in pairs)
        self._by: dict[_Pair | str, list[tuple[Json, Item]]] = defaultdict(list)
        for namespace, selector, pairs, item in entries:
            rarest = min(((namespace, *pair) for pair in pairs), key=common.__getitem__, default=namespace)
            self._by[rarest].append((selector, item))

    def matching(self, namespace: str, labels: Json) -> Iterator[Item]:
        """What selects something with `labels` in `namespace`."""
        keys: list[_Pair | str] = [(namespace, key, _hashable(value)) for key, value in labels.items()]
        for key in [namespace, *keys]:
            for selector, item in self._by.get(key, ()):
                if selects(selector, labels):
                    yield item


def _demands(selector: Json) -> list[tuple[str, Any]]:
    """Pairs of key and value of which the labels must have every one."""
    return [(key, _hashable(value)) for key, value in _mapping(selector.get("matchLabels")).items()]


def _hashable(value: Any) -> Any:
    """Label values are text; in a file somebody is still writing they may be anything."""
    return value if isinstance(value, str) else repr(value)


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
