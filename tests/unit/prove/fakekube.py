"""An API server in memory behind the one function that runs kubectl: enough verbs for what a drill does to objects."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime

from garrison.manifest import Manifest

Key = tuple[str, str, str]  # kind in lower case, namespace, name
PLURAL = {"configmaps": "configmap", "deployments": "deployment", "statefulsets": "statefulset", "pods": "pod"}


@dataclass
class FakeKube:
    """Objects by kind and name; `broken` says which commands do not work, `applied` what was ever applied."""

    objects: dict[Key, Manifest] = field(default_factory=dict)
    applied: list[Manifest] = field(default_factory=list)
    broken: Callable[[Sequence[str]], bool] = lambda words: False
    now: float = 1_800_000_000.0
    commands: list[list[str]] = field(default_factory=list)
    version: int = 0

    def __call__(
        self, arguments: Sequence[str], *, stdin: str | None = None, timeout: float = 0
    ) -> tuple[int, str, str]:
        joined = " ".join(arguments).replace("--namespace ", "--namespace=").split()
        words = [word for word in joined if not word.startswith("--")]
        flags = dict(word[2:].partition("=")[::2] for word in joined if word.startswith("--"))
        self.commands.append(list(arguments))
        if self.broken(arguments):
            return 1, "", "Unable to connect to the server: net/http: TLS handshake timeout"
        verb, what = words[0], words[1:]
        try:
            return 0, getattr(self, f"_{verb}")(what, flags, stdin or ""), ""
        except LookupError as error:
            return 1, "", f"Error from server ({error.args[0]})"

    def put(self, item: Manifest) -> None:
        self.version += 1
        stored = deepcopy(item)
        stored["metadata"] |= {"resourceVersion": str(self.version), "uid": f"uid-{self.version}"}
        self.objects[key(item)] = stored

    def has(self, kind: str, name: str, namespace: str = "") -> bool:
        return (kind.lower(), namespace, name) in self.objects

    # --- the verbs ---------------------------------------------------------------------------------------------------

    def _get(self, what: list[str], flags: dict[str, str], _: str) -> str:
        kind = PLURAL.get(what[0], what[0]).lower()
        if len(what) == 1:
            wanted = flags.get("field-selector", "").removeprefix("metadata.name=")
            home = flags.get("namespace")
            found = [
                item
                for (k, namespace, name), item in self.objects.items()
                if k in kind and (not wanted or name == wanted) and home in (None, namespace)
            ]
            return json.dumps({"items": found})
        place = (kind, flags.get("namespace", ""), what[1])
        if place not in self.objects:
            if "ignore-not-found" in flags:
                return ""
            raise LookupError("NotFound")
        return json.dumps(self.objects[place])

    def _apply(self, what: list[str], flags: dict[str, str], stdin: str) -> str:
        for item in json.loads(stdin)["items"]:
            if (
                set(item) == {"apiVersion", "kind", "metadata"} and "labels" not in item["metadata"]
            ):  # a manager that gives up its fields
                continue
            self.applied.append(item)
            self.put(item)
        return ""

    def _create(self, what: list[str], flags: dict[str, str], stdin: str) -> str:
        item: Manifest = json.loads(stdin)
        if "dry-run" in flags:
            made = datetime.fromtimestamp(self.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            return json.dumps({**item, "metadata": {**item["metadata"], "creationTimestamp": made}})
        if key(item) in self.objects:
            raise LookupError("AlreadyExists")
        self.put(item)
        return json.dumps(self.objects[key(item)])

    def _replace(self, what: list[str], flags: dict[str, str], stdin: str) -> str:
        item: Manifest = json.loads(stdin)
        if key(item) not in self.objects:
            raise LookupError("NotFound")
        if self.objects[key(item)]["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
            raise LookupError("Conflict")
        self.put(item)
        return json.dumps(self.objects[key(item)])

    def _delete(self, what: list[str], flags: dict[str, str], _: str) -> str:
        if len(what) == 2:
            self.objects.pop((what[0].lower(), flags.get("namespace", ""), what[1]), None)
        return ""

    def _rollout(self, what: list[str], flags: dict[str, str], _: str) -> str:
        return ""


def key(item: Manifest) -> Key:
    meta = item["metadata"]
    return item["kind"].lower(), meta.get("namespace", ""), meta["name"]
