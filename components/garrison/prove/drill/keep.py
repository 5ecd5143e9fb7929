"""Taking an object away, and putting it back as it was and under the field manager that had applied it.

So the next `pulumi up` finds nothing to do.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from garrison.manifest import Manifest
from garrison.prove.kubectl import MANAGER, Kubectl

SERVER_SIDE = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")


@dataclass(frozen=True)
class Original:
    """An object as somebody wrote it, and who had applied it."""

    body: Manifest
    manager: str

    @classmethod
    def of(cls, live: Manifest) -> Original:
        return cls(bare(live), manager(live))

    def __str__(self) -> str:
        return name(self.body)


def put_back(kubectl: Kubectl, original: Original) -> None:
    """Closed first, tidied afterwards: at no moment is there less than what the drill had left."""
    kubectl.apply([original.body], manager=original.manager)
    if original.manager != MANAGER and original.body["kind"] != "Namespace":
        # what only the drill had written goes with its claim to it
        kubectl.apply([_claim(original.body)], whole=False)


def remove(kubectl: Kubectl, item: Manifest) -> None:
    home = item["metadata"].get("namespace")
    kubectl.delete(item["kind"], item["metadata"]["name"], *([f"--namespace={home}"] if home else []))


def replace(kubectl: Kubectl, weaker: Manifest) -> None:
    remove(kubectl, weaker)
    kubectl.apply([bare(weaker)])


def bare(live: Manifest) -> Manifest:
    """The object as somebody would write it."""
    item = deepcopy(live)
    item.pop("status", None)
    for key in SERVER_SIDE:
        item["metadata"].pop(key, None)
    return item


def manager(live: Manifest) -> str:
    """Who had applied it."""
    entries = live["metadata"].get("managedFields", ())
    return next((str(e["manager"]) for e in entries if e.get("operation") == "Apply"), MANAGER)


def name(item: Manifest) -> str:
    meta = item["metadata"]
    return f"{item['kind']} {'/'.join(filter(None, (meta.get('namespace'), meta['name'])))}"


def _claim(item: Manifest) -> Manifest:
    """An object of which nothing is claimed but that it exists."""
    meta: dict[str, Any] = {key: item["metadata"][key] for key in ("name", "namespace") if key in item["metadata"]}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": meta}
