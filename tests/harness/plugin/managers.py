"""Field ownership: taking over what kubectl or client-side apply wrote before us.

Without this a single `kubectl edit` would make every later update fail with a conflict. The list of
managers is the official plugin's; a conflict with anyone else is reported, never overridden.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from harness.plugin.objects import Obj, dig

_LEGACY: Final = (
    "kubectl",
    "before-first-apply",
    "pulumi-kubernetes",
    "pulumi-resource-kubernetes",
)


def ours_to_take(manager: str) -> bool:
    """Whether the fields of this manager are people's or our own earlier writes."""
    return manager.startswith(_LEGACY)


def _takeable(entry: Obj, manager: str) -> bool:
    owner = str(entry.get("manager") or "")
    if entry.get("subresource") or (owner == manager and entry.get("operation") == "Apply"):
        return False
    if entry.get("operation") == "Apply":
        return owner.startswith("kubectl")
    return ours_to_take(owner)


def _union(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    merged = dict(left)
    for key, value in right.items():
        merged[key] = _union(merged.get(key, {}), value)
    return merged


def takeover(live: Obj, manager: str) -> list[Obj] | None:
    """A JSON patch that makes us the owner of those fields, or None where there is nothing to do."""
    listed: list[Obj] = dig(live, "metadata", "managedFields", default=[])
    taken = [entry for entry in listed if _takeable(entry, manager)]
    if not taken:
        return None
    mine = [e for e in listed if e.get("manager") == manager and e.get("operation") == "Apply"]
    owned = deepcopy(mine[0]) if mine else {**taken[0], "manager": manager, "operation": "Apply"}
    for entry in taken:
        owned["fieldsV1"] = _union(owned.get("fieldsV1", {}), entry.get("fieldsV1", {}))
    kept = [entry for entry in listed if entry not in taken and entry not in mine]
    version = dig(live, "metadata", "resourceVersion")
    return [
        {"op": "replace", "path": "/metadata/managedFields", "value": [owned, *kept]},
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
    ]


def owns(live: Obj, manager: str, path: tuple[str | int, ...]) -> bool:
    """Whether the manager owns this field (list positions are not looked into)."""
    for entry in dig(live, "metadata", "managedFields", default=[]):
        node = entry.get("fieldsV1", {}) if entry.get("manager") == manager else {}
        for part in path:
            node = node.get(f"f:{part}", None)
            if node is None:
                break
        else:
            return True
    return False
