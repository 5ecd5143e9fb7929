"""Objects that are not shaped as their kind is: every rule would look at nothing in them, and find nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from garrison_policies.language.expr import MISSING, get, parts
from garrison_policies.language.objects import Object
from garrison_policies.language.rule import Subject
from garrison_policies.language.subjects import WORKLOADS

BUILT_IN = ("", "apps", "batch", "extensions")  # groups in which the names of WORKLOADS mean Kubernetes' own kinds


def carries(body: Mapping[str, Any]) -> str:
    """The field in which it carries other objects, empty for what is an object itself.

    To kubectl and Helm whatever has `items` is a list and nothing else, whatever its kind and name.
    """
    if body.get("kind") == "List" or "items" in body:
        return "items"
    return "objects" if body.get("kind") == "Template" and "openshift" in str(body.get("apiVersion")) else ""


def is_list(body: Mapping[str, Any]) -> bool:
    """Whether it is a list of the API, with nothing of its own: those have no name."""
    metadata = body.get("metadata")
    named = isinstance(metadata, Mapping) and "name" in metadata
    return body.get("kind") == "List" or (str(body.get("kind", "")).endswith("List") and not named)


def problems(item: Object) -> Iterator[tuple[str, str]]:
    """Path and complaint for each part the API server would not take, and rules could not see."""
    for key in ("metadata", "spec"):
        if not isinstance(item.body.get(key, {}), Mapping):
            yield key, f"{key} is not a mapping"
    carried = carries(item.body)
    if carried and not isinstance(item.body.get(carried, []), list):
        yield carried, f"{carried} is not a list"
    if item.kind in WORKLOADS and item.group in BUILT_IN and not _has_containers(item):
        yield "spec", f"a {item.kind} without a pod template that has containers"
    for subject in _subjects():
        yield from _misshapen(item, subject)


def _has_containers(item: Object) -> bool:
    found = get(item.template, "spec.containers")
    return found is not MISSING and found != []


def _misshapen(item: Object, subject: Subject) -> Iterator[tuple[str, str]]:
    """Lists that a rule goes through and that are none, or hold something else than it looks for."""
    roots = item.templates if subject.pod else (("", item.body),) if item.known_as in subject.kinds else ()
    inside, called = (str, "words") if subject.words else (Mapping, "mappings")
    for where, root in roots:
        for path in subject.each:
            found = get(root, path)
            if found is not MISSING and not (isinstance(found, list) and all(isinstance(x, inside) for x in found)):
                dotted = ".".join((*filter(None, [where]), *parts(path)))
                yield dotted, f"{dotted} is not a list of {called}"


@cache
def _subjects() -> tuple[Subject, ...]:
    """Whatever rules look at one by one; each once."""
    from garrison_policies.rules import RULES  # here alone: the catalogue is data this module works without

    return tuple(dict.fromkeys(check.subject for rule in RULES for check in rule.checks if check.subject.each))
