"""An independent reading of RBAC, to hold the derived Roles against the declared permissions.

Follows the API reference: a request is allowed when a binding of its namespace names the account, and a rule of the
bound Role has its verb, its group and its resource with subresource, and names the object or no object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Asked:
    """One request: by whom (namespace and account), where, and what."""

    account: tuple[str, str]
    namespace: str
    verb: str
    resource: str
    group: str = ""
    name: str = ""


def allowed(manifests: list[dict[str, Any]], asked: Asked) -> bool:
    here = [m for m in manifests if m["metadata"].get("namespace") == asked.namespace]
    bound = {m["roleRef"]["name"] for m in here if m["kind"] == "RoleBinding" and _names(m["subjects"], asked.account)}
    rules = [rule for m in here if m["kind"] == "Role" and m["metadata"]["name"] in bound for rule in m["rules"]]
    return any(_grants(rule, asked) for rule in rules)


def _names(subjects: list[dict[str, Any]], account: tuple[str, str]) -> bool:
    return any(s["kind"] == "ServiceAccount" and (s["namespace"], s["name"]) == account for s in subjects)


def _grants(rule: dict[str, Any], asked: Asked) -> bool:
    def has(words: list[str], word: str) -> bool:
        return "*" in words or word in words

    what = has(rule["apiGroups"], asked.group) and has(rule["resources"], asked.resource)
    names = rule.get("resourceNames") or [asked.name]
    return what and has(rule["verbs"], asked.verb) and asked.name in names
