"""Keeping originals safe while they are changed: on the cluster itself, so that anybody can undo a killed drill.

What is about to be changed is first written to a ConfigMap; putting it back removes that ConfigMap. Objects go back
under the field manager that had applied them, so that the next `pulumi up` finds nothing to do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import deepcopy

from garrison.manifest import Manifest
from garrison.prove.kubectl import MANAGER, Kubectl

NAME = "garrison-drill"
ORIGINALS, STORE_PATH = "originals.json", "store-path"
SERVER_SIDE = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")


def save(kubectl: Kubectl, namespace: str, originals: Sequence[Manifest], store_path: str = "") -> None:
    """Before anything is changed. Of an object in the secret store the path is enough: the graph knows the rest."""
    data = {ORIGINALS: json.dumps(list(originals)), STORE_PATH: store_path}
    kubectl.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": _meta(namespace), "data": data}])


def restore(kubectl: Kubectl, namespace: str, write: Callable[[str], None] | None = None) -> list[str]:
    """Put back whatever is in safe-keeping; returns its names, none where nothing was left.

    An object in the secret store is put back by `write`; without it, it stays on record.
    """
    code, text, _ = kubectl.attempt("get", "configmap", NAME, f"--namespace={namespace}", "--output=json")
    if code:
        return []
    data = json.loads(text)["data"]
    originals: list[Manifest] = json.loads(data[ORIGINALS])
    for original in originals:
        put_back(kubectl, original)
    path = data[STORE_PATH]
    if path and write:
        write(path)
    if write or not path:  # only after everything is as it was
        kubectl.delete("configmap", NAME, f"--namespace={namespace}")
    return [*map(name, originals), *([path] if path else [])]


def put_back(kubectl: Kubectl, original: Manifest) -> None:
    if original["kind"] != "Namespace":
        remove(kubectl, original)  # so that the drill's own ownership of fields goes with the drill's version
    kubectl.apply([bare(original)], manager=manager(original))


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


def _meta(namespace: str) -> Manifest:
    return {"name": NAME, "namespace": namespace}
