"""Whether the cluster lets who asks deploy: everything that is missing, before anything is made.

The rules that hold are asked for once a namespace. A cluster may allow more than RBAC's rules say, so what they do not
give is asked one by one, and only that: an administrator, to whom they give everything, is asked nothing else.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from garrison.errors import GarrisonError
from garrison.kube import documents, kubectl
from garrison_stack.right import Right, given
from garrison_stack.rights import RBAC, Rights
from garrison_stack.whole import Whole

NOWHERE: Final = "-"  # no namespace has this name, so no Role either: what holds there holds for the whole cluster
HEADLINE: Final = (
    "the cluster does not let whoever asks here deploy this, and nothing was made; `garrison deployer` prints what an "
    "administrator grants (docs/your-own-cluster.md):"
)
SHOWN: Final = 3  # names of a line
Json = dict[str, Any]


class RightsError(GarrisonError):
    """Who deploys may not do what would have to be done. `problems` has all of it."""


def check(what: Whole, *, logs_in: bool = True) -> None:
    """Raise RightsError with every right that is missing; KubectlError where the cluster does not say.

    What only shows why something does not become ready is not asked: without it all is made nevertheless.

    logs_in: whether the cluster is asked for a login at the secret store.
    """
    rights = Rights.of(what, logs_in=logs_in)
    lacks = missing(rights.made) | _ungiven(rights.held - rights.made)
    if found := [*problems(rights.made, lacks)]:
        raise RightsError(found, HEADLINE)


def missing(rights: Collection[Right]) -> set[Right]:
    """Which of them who asks does not have."""
    spaces = sorted(_spaces(rights))
    said = _asked([_review("SelfSubjectRulesReview", namespace=space or NOWHERE) for space in spaces])
    rules = {space: status["resourceRules"] for space, status in zip(spaces, said, strict=True)}
    unsaid = sorted(right for right in rights if not given(right, rules[right.namespace]))
    answers = _asked([_review("SelfSubjectAccessReview", resourceAttributes=_attributes(right)) for right in unsaid])
    return {right for right, status in zip(unsaid, answers, strict=True) if not status["allowed"]}


def problems(needed: Iterable[Right], lacks: Collection[Right]) -> Iterator[str]:
    """A line for each kind of object; one for a whole namespace, where nothing of what is needed may be done."""
    for space in sorted(_spaces(lacks)):
        here = {right for right in lacks if right.namespace == space}
        where = f"in namespace {space}" if space else "in the whole cluster"
        if here >= {right for right in needed if right.namespace == space}:
            yield f"{where}: nothing of what is needed"
        else:
            yield from (f"{where}: may not {text}" for text in _lines(here))


def _lines(rights: Iterable[Right]) -> Iterator[str]:
    verbs: dict[Right, list[str]] = defaultdict(list)
    for right in sorted(rights):
        verbs[replace(right, verb="", namespace="")].append(right.verb)
    names: dict[str, list[str]] = defaultdict(list)
    for what, words in verbs.items():
        names[f"{', '.join(words)} {replace(what, name='')}"].append(what.name)
    for text, called in names.items():
        more = f" and {len(called) - SHOWN} more" if len(called) > SHOWN else ""
        yield f"{text} {', '.join(called[:SHOWN])}".rstrip() + more


def _ungiven(held: Collection[Right]) -> set[Right]:
    """What could not be given to a workload: it is not held, nor may more be given than is. To bind has two ways."""
    lacks = missing([right for right in held if right.verb != "bind"])
    ways = {space: Right(space, RBAC, "roles" if space else "clusterroles", "escalate") for space in _spaces(lacks)}
    closed = missing({*ways.values()})
    return {right for right in lacks if ways[right.namespace] in closed}


def _spaces(rights: Iterable[Right]) -> set[str]:
    return {right.namespace for right in rights}


def _review(kind: str, **spec: Any) -> Json:
    return {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}


def _attributes(right: Right) -> Json:
    plural, _, part = right.resource.partition("/")
    what = {"group": right.group, "resource": plural, "subresource": part}
    return {**what, "verb": right.verb, "namespace": right.namespace, "name": right.name}


def _asked(reviews: Sequence[Json]) -> list[Json]:
    """What the cluster says to each, in one go."""
    if not reviews:
        return []
    listed = {"apiVersion": "v1", "kind": "List", "items": [*reviews]}
    said = kubectl(["create", "--filename=-", "--output=json"], stdin=json.dumps(listed))
    return [item["status"] for item in documents(said)]
