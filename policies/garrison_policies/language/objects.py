"""Kubernetes objects as rules see them, and the inventory of all objects of one check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from garrison_policies.language.expr import get
from garrison_policies.language.kinds import GROUPS, meaning

# Where the pod template stands, by kind. In other kinds every template is one that has a spec with containers.
# DeploymentConfig is OpenShift's, Rollout Argo's; both may leave the containers to a trigger or a reference.
_SPEC_TEMPLATE = "Deployment ReplicaSet ReplicationController StatefulSet DaemonSet Job DeploymentConfig Rollout"
TEMPLATES = {
    "Pod": "",
    "PodTemplate": "template",
    "CronJob": "spec.jobTemplate.spec.template",
    **dict.fromkeys(_SPEC_TEMPLATE.split(), "spec.template"),
}
Template = tuple[str, Mapping[str, Any]]  # its path, "" for a Pod, and what stands there: metadata and spec


@dataclass(frozen=True)
class Object:
    """One object: `body` is what was written, without nulls. `line` is where its document starts; 0 is no line, as of
    what a tool rendered, or a cluster has.
    """

    body: Mapping[str, Any]
    file: str = ""
    line: int = 0

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    @cached_property
    def kind(self) -> str:
        return str(self.body.get("kind", ""))

    @cached_property
    def api_version(self) -> str:
        return str(self.body.get("apiVersion", ""))

    @cached_property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @cached_property
    def name(self) -> str:
        metadata = self.metadata
        return str(metadata.get("name") or metadata.get("generateName") or "")

    @cached_property
    def namespace(self) -> str:
        """As written; empty where it is left to the command that applies it."""
        return str(self.metadata.get("namespace") or "")

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        found = self.body.get("metadata")
        return found if isinstance(found, Mapping) else {}

    @cached_property
    def labels(self) -> Mapping[str, Any]:
        found = self.metadata.get("labels")
        return found if isinstance(found, Mapping) else {}

    @cached_property
    def known_as(self) -> str:
        """The kind as rules name it: one of another API that is only called the same is none of theirs."""
        return meaning(self.group, self.kind)

    @cached_property
    def templates(self) -> tuple[Template, ...]:
        """Every pod template it holds: one in Kubernetes' own workloads, several in a JobSet or a cluster of Ray."""
        path = TEMPLATES.get(self.known_as)
        if path is None:
            return () if self.known_as in GROUPS else tuple(_templates(self.body.get("spec"), "spec"))
        found = get(self.body, path)
        return ((path, found),) if isinstance(found, Mapping) and isinstance(found.get("spec"), Mapping) else ()

    @property
    def template_path(self) -> str | None:
        """The path of the first pod template; "" for a Pod, None for what has none."""
        return self.templates[0][0] if self.templates else None

    @property
    def template(self) -> Mapping[str, Any] | None:
        """The first pod template: metadata and spec."""
        return self.templates[0][1] if self.templates else None

    @property
    def reference(self) -> dict[str, str]:
        """How reports name it."""
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
        }

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name}"


@dataclass(frozen=True)
class Inventory:
    """All objects of one check, for the rules that need more than one. Files are separate worlds only in tests."""

    objects: tuple[Object, ...]
    _by_kind: dict[str, list[Object]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[str, list[Object]] = {}
        for item in self.objects:
            found.setdefault(item.known_as, []).append(item)
        object.__setattr__(self, "_by_kind", found)

    def of(self, *kinds: str) -> Iterator[Object]:
        """The objects of these kinds."""
        for kind in kinds:
            yield from self._by_kind.get(kind, ())

    @cached_property
    def workloads(self) -> tuple[Object, ...]:
        """Everything that holds a pod template."""
        return tuple(item for item in self.objects if item.template_path is not None)


def _templates(value: Any, path: str) -> Iterator[Template]:
    """The pod templates below a value. Patterns of policies look like pods, too; they stand in no `template`."""
    pairs = value.items() if isinstance(value, Mapping) else ()
    for key, part in pairs:
        here = f"{path}.{key}"
        if str(key).lower().endswith("template") and _runs_pods(part):
            yield here, part
        elif isinstance(part, list):
            for number, one in enumerate(part):
                yield from _templates(one, f"{here}[{number}]")
        else:
            yield from _templates(part, here)


def _runs_pods(part: Any) -> bool:
    return isinstance(get(part, "spec.containers"), list)


def without_nulls(value: Any) -> Any:
    """The value as the API server keeps it: null fields are absent fields."""
    if isinstance(value, Mapping):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return [without_nulls(item) for item in value]
    return value
