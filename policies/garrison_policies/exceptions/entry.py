"""One exception as it is written: its fields, and everything that can be wrong with them."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import Any

from garrison.errors import did_you_mean

WILDCARDS = frozenset("*?[]")
# Kinds without a namespace. For all others the namespace is part of the name: "web" in shop is not "web" in bank.
CLUSTER_KINDS = (
    "APIService",
    "CSIDriver",
    "CustomResourceDefinition",
    "GatewayClass",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
    "VolumeAttributesClass",
)
REMEDIES = {
    "rule": "name one rule; `garrison check --list` has them",
    "kind": "name the object exactly: kind, namespace and name",
    "name": "name the object exactly: kind, namespace and name",
    "owner": "name the person or team that answers for it",
    "reason": "say why the rule cannot be kept",
}
FIELDS = frozenset((*REMEDIES, "namespace", "expires"))


def flattened(entry: Any) -> dict[str, str]:
    """One level of texts: the object's fields beside the others, what is empty left out."""
    if not isinstance(entry, Mapping):
        return {}
    inner = entry.get("object")
    both = {
        **{key: value for key, value in entry.items() if key != "object"},
        **(inner if isinstance(inner, Mapping) else {}),
    }
    return {str(key): str(value).strip() for key, value in both.items() if str(value).strip()}


def wrong(flat: Mapping[str, str], rules: frozenset[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with an entry and what to do about it."""
    for name, remedy in REMEDIES.items():
        if name not in flat:
            yield f"{name} is missing", remedy
    for name in sorted(flat.keys() - FIELDS):
        yield f"{name!r} is not a field", did_you_mean(name, FIELDS, f"the fields are {', '.join(sorted(FIELDS))}")
    for name in ("rule", "kind", "namespace", "name"):
        if WILDCARDS & set(flat.get(name, "")):
            yield f"{name} {flat[name]!r} is a pattern", "write one entry for each rule and object"
    if "rule" in flat and flat["rule"] not in rules and not WILDCARDS & set(flat["rule"]):
        yield f"there is no rule {flat['rule']!r}", did_you_mean(flat["rule"], rules, REMEDIES["rule"])
    if "kind" in flat and "namespace" not in flat and not _of_the_cluster(flat["kind"]):
        yield f"the namespace of {flat['kind']} {flat.get('name', '')!r} is missing", REMEDIES["name"]
    try:
        datetime.date.fromisoformat(flat.get("expires", ""))
    except ValueError:
        yield f"expires {flat.get('expires', '')!r} is not a date", "write the last day it holds, such as 2026-12-31"


def _of_the_cluster(kind: str) -> bool:
    return kind in CLUSTER_KINDS or kind.startswith("Cluster")
