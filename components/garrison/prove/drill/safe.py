"""Undoing a drill that was killed. Nothing is ever applied that somebody else could have written.

On the cluster there are names only, in a namespace that no workload writes to. The objects come from this machine's
journal, or else are derived again from the graph; what neither knows is said, and never applied.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import render
from garrison.derive.secrets import StoreObject, store_objects
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.drill import keep
from garrison.prove.drill.journal import Journal, Kept
from garrison.prove.drill.keep import Original
from garrison.prove.kubectl import HOME, MANAGER, Kubectl
from garrison.prove.model import ProveError

NAME = "garrison-drill"
TOKEN, OBJECTS, STORE = "token", "objects", "store-path"
PLATFORM = "ValidatingAdmissionPolicyBinding"
TOUCHED = ("NetworkPolicy", "ConfigMap", "Role", "ResourceQuota", "Namespace", PLATFORM)
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_:-]{0,252}|")
REMOVE = f"kubectl delete configmap {NAME} --namespace"
Write = Callable[[StoreObject], None]


@dataclass(frozen=True)
class Safe:
    """Where the originals of one drill at a time are kept."""

    kubectl: Kubectl
    graph: Graph
    journal: Journal
    say: Callable[[str], None]
    cluster: Cluster = field(default_factory=Cluster)

    def save(self, kept: Kept) -> None:
        """Before anything is changed: whole on this machine, then by name on the cluster."""
        token = secrets.token_hex(16)
        self.journal.write(token, kept)
        objects = json.dumps([_entry(item) for item in kept.objects])
        data = {TOKEN: token, OBJECTS: objects, STORE: kept.store.path if kept.store else ""}
        meta = {"name": NAME, "namespace": HOME}
        self.kubectl.apply([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}])

    def left(self) -> Kept | None:
        """What an interrupted drill had changed; None where there was none. ProveError when that cannot be known."""
        found = json.loads(
            self.kubectl.run(
                "get", "configmaps", "--all-namespaces", f"--field-selector=metadata.name={NAME}", "--output=json"
            )
        )
        record: Manifest | None = None
        for item in found["items"]:
            home = item["metadata"]["namespace"]
            if home == HOME:
                record = item
            else:  # whoever may write there would choose what this run applies
                self.say(
                    f"ConfigMap {home}/{NAME} is no record of a drill and nothing of it was applied; `{REMOVE} {home}`"
                )
        if record is None:
            self.journal.forget()
            return None
        return self._kept(record.get("data") or {})

    def put_back(self, kept: Kept, write: Write | None) -> None:
        """Everything that can be, and an error that names what could not; only then is it forgotten."""
        failed: list[str] = []
        for item in kept.objects:
            try:
                keep.put_back(self.kubectl, item)
            except ProveError as error:
                failed.append(f"{item} ({error})")
        if kept.store and write:
            try:
                write(kept.store)
            except ProveError as error:
                failed.append(f"{kept.store.path} ({error})")
        if failed:
            again = "garrison prove" + "".join(f" {option}" for option in self.kubectl.options)
            raise ProveError(
                f"NOT PUT BACK, the cluster stands open there: {'; '.join(failed)}; when it answers again, run"
                f" `{again}` on this machine, which first puts it back, or `pulumi up --refresh`"
            )
        if write or not kept.store:
            self.forget()

    def forget(self) -> None:
        self.kubectl.delete("configmap", NAME, f"--namespace={HOME}")
        self.journal.forget()

    # --- reading the record ------------------------------------------------------------------------------------------

    def _kept(self, data: dict[str, Any]) -> Kept:
        try:
            token, entries, path = data[TOKEN], json.loads(data[OBJECTS]), str(data[STORE])
            names = [{key: str(entry[key]) for key in ("kind", "namespace", "name", "manager")} for entry in entries]
        except (KeyError, TypeError, ValueError):
            raise self._refused("it is no record of a drill") from None
        if kept := self.journal.read(token):
            return kept
        strange = [
            entry for entry in names if entry["kind"] not in TOUCHED or not all(map(WORD.fullmatch, entry.values()))
        ]
        if strange:
            raise self._refused(f"no drill ever changes {', '.join(map(_words, strange))}")
        return Kept(tuple(self._derived(names)), self._store(path))

    def _derived(self, entries: list[dict[str, str]]) -> list[Original]:
        """The objects as the graph derives them, now."""
        known = {keep.name(item): item for item in render(self.graph, self.cluster)}
        found = [Original(known[_words(e)], e["manager"]) for e in entries if _words(e) in known]
        rest = [entry for entry in entries if _words(entry) not in known]
        lost = [
            e for e in rest if (e["kind"] == PLATFORM or e["namespace"] == d.STORE_NAMESPACE) and not self._whole(e)
        ]
        if lost:
            raise ProveError(
                f"a drill interrupted on another machine changed {', '.join(map(_words, lost))}, which the program does"
                " not derive: run `garrison prove` on that machine, or `pulumi up --refresh`, and then this again"
            )
        for entry in rest:
            self.say(
                f"an interrupted drill had changed {_words(entry)}, which the program does not derive; left as it is"
            )
        return found

    def _whole(self, entry: dict[str, str]) -> bool:
        """Whether somebody has put it back since: it is there, and not in the drill's version."""
        live = self.kubectl.find(entry["kind"], entry["name"], entry["namespace"])
        return live is not None and all(m["manager"] != MANAGER for m in live["metadata"].get("managedFields", ()))

    def _store(self, path: str) -> StoreObject | None:
        found = next((item for item in store_objects(self.graph, self.cluster.store) if item.path == path), None)
        if path and not found:
            shown = path if WORD.fullmatch(path) else "a path"
            self.say(f"an interrupted drill had changed {shown} in the secret store, which the program does not derive")
        return found

    def _refused(self, why: str) -> ProveError:
        return ProveError(
            f"ConfigMap {HOME}/{NAME}: {why}, so nothing of it was applied; see who wrote it, then `{REMOVE} {HOME}`"
        )


def _entry(item: Original) -> dict[str, str]:
    meta = item.body["metadata"]
    home = meta.get("namespace", "")
    return {"kind": item.body["kind"], "namespace": home, "name": meta["name"], "manager": item.manager}


def _words(entry: dict[str, str]) -> str:
    return f"{entry['kind']} {'/'.join(filter(None, (entry['namespace'], entry['name'])))}"
