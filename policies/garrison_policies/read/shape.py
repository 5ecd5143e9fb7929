"""Objects that are not shaped as their kind is: every rule would look at nothing in them, and find nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from garrison_policies.language.expr import MISSING, get
from garrison_policies.language.objects import Object
from garrison_policies.language.rule import Subject
from garrison_policies.language.subjects import WORKLOADS

BUILT_IN = ("", "apps", "batch", "extensions")  # groups in which the names of WORKLOADS mean Kubernetes' own kinds


def carries(body: Mapping[str, Any]) -> str:
    """The field in which it carries other objects, empty for what is an object itself.

    A list of the API has no name; a custom kind such as AllowList has one, whatever it calls its fields.
    """
    kind, metadata = str(body.get("kind", "")), body.get("metadata")
    named = isinstance(metadata, Mapping) and "name" in metadata
    if kind == "List" or (kind.endswith("List") and "items" in body and not named):
        return "items"
    return "objects" if kind == "Template" and "openshift" in str(body.get("apiVersion")) else ""


def problems(item: Object) -> Iterator[tuple[str, str]]:
    """Path and complaint for each part the API server would not take, and rules could not see."""
    for key in ("metadata", "spec"):
        if not isinstance(item.body.get(key, {}), Mapping):
            yield key, f"{key} is not a mapping"
    carried = carries(item.body)
    if carried and not isinstance(item.body.get(carried, []), list):
        yield carried, f"{carried} is not a list"
    if item.kind in WORKLOADS and item.group in BUILT_IN and item.template is None:
        yield "spec", f"a {item.kind} without a pod template that has containers"
    for subject in _subjects():
        if item.kind in subject.kinds:
            root = item.template if subject.pod else item.body
            where = f"{item.template_path}." if subject.pod and item.template_path else ""
            for path in subject.each:
                found = get(root, path)
                if found is not MISSING and not _is_list_of_mappings(found):
                    dotted = where + (path if isinstance(path, str) else ".".join(path))
                    yield dotted, f"{dotted} is not a list of mappings"


def _is_list_of_mappings(found: object) -> bool:
    return isinstance(found, list) and all(isinstance(one, Mapping) for one in found)


@cache
def _subjects() -> tuple[Subject, ...]:
    """Whatever rules look at one by one; each once."""
    from garrison_policies.rules import RULES  # here alone: the catalogue is data this module works without

    return tuple(dict.fromkeys(check.subject for rule in RULES for check in rule.checks if check.subject.each))
