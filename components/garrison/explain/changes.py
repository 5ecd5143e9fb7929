"""What a change means: who may newly do what, who no longer, which objects it takes; one operation is one line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

from garrison.cluster import Cluster
from garrison.derive import render
from garrison.explain.allowed import allowed
from garrison.manifest import Manifest, identity
from garrison.model.graph import Elsewhere, Graph

SCHEMA: Final = "garrison.dev/changes/v1"
TEXTS: Final = ("openapi", "schema")  # whole documents: that they changed is enough
SIGNS: Final = {"create": "+", "update": "~", "delete": "-"}


@dataclass(frozen=True)
class ObjectChange:
    """One Kubernetes object that the change makes, changes or removes."""

    change: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{SIGNS[self.change]} {self.kind} {place}{self.name}"


@dataclass(frozen=True)
class Changes:
    """gained, lost: sentences of what is newly allowed, and no longer. declared: everything else that was said
    differently (services, images, numbers, facts of the cluster). objects: what Kubernetes gets of it.
    """

    gained: tuple[str, ...]
    lost: tuple[str, ...]
    declared: tuple[str, ...]
    objects: tuple[ObjectChange, ...]

    def __bool__(self) -> bool:
        return bool(self.gained or self.lost or self.declared or self.objects)


def changes(old: Graph, new: Graph, *, before: Cluster, after: Cluster) -> Changes:
    """The change from one graph on its cluster to another; pure, same values, same answer."""
    was, now = {str(item) for item in allowed(old)}, {str(item) for item in allowed(new)}
    said = [*_things(old, new), *_values(old, new, before, after)]
    return Changes(
        gained=tuple(sorted(now - was)),
        lost=tuple(sorted(was - now)),
        declared=tuple(said),
        objects=tuple(_objects(render(old, before), render(new, after))),
    )


def _things(old: Graph, new: Graph) -> Iterator[str]:
    """Namespaces, services, jobs, databases, hosts and issuers that come, go, or are said differently."""
    yield from _named("namespace", dict.fromkeys(old.namespaces), dict.fromkeys(new.namespaces))
    for word in ("services", "jobs", "databases"):
        one, other = ({str(item.ref): item for item in getattr(graph, word)} for graph in (old, new))
        yield from _named(word.removesuffix("s"), one, other)
    for word in ("hosts", "issuers"):
        one, other = ({item.name: item for item in getattr(graph, word)} for graph in (old, new))
        yield from _named(word.removesuffix("s"), one, other)
    beside, now = ({item.name: _place(item) for item in graph.elsewhere} for graph in (old, new))
    yield from _named("App elsewhere", beside, now)


def _place(other: Elsewhere) -> Elsewhere:
    """Another App as far as it is told of: whom it has, and what it admits, is its own change."""
    return replace(other, workloads=(), admits=())


def _named(word: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield f"+ {word} {name}"
        elif name not in new:
            yield f"- {word} {name}"
        elif old[name] != new[name]:
            yield from (f"~ {word} {name}: {text}" for text in _fields(old[name], new[name]))


def _fields(old: Any, new: Any) -> Iterator[str]:
    for field in fields(old):
        one, other = getattr(old, field.name), getattr(new, field.name)
        if one != other:
            said = "changed" if field.name in TEXTS else f"{_short(one)} -> {_short(other)}"
            yield f"{field.name.replace('_', ' ')} {said}"


def _short(value: object) -> str:
    """An image without its place; a long digest by its beginning, as people compare them."""
    name, at, digest = str(value).rpartition("@sha256:")
    return f"{name.rpartition('/')[2]}@{digest[:12]}" if at else str(value)


def _values(old: Graph, new: Graph, before: Cluster, after: Cluster) -> Iterator[str]:
    for word in ("name", "trust_domain"):
        if getattr(old, word) != getattr(new, word):
            yield f"~ {word.replace('_', ' ')} {getattr(old, word)} -> {getattr(new, word)}"
    yield from _named_images(dict(old.images), dict(new.images))
    yield from (f"~ cluster: {text}" for text in _fields(before, after))


def _named_images(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    for role in sorted({*old, *new}):
        one, other = old.get(role), new.get(role)
        if one != other:
            yield f"~ image of {role}: {_short(one)} -> {_short(other)}"


def _objects(old: Iterable[Manifest], new: Iterable[Manifest]) -> Iterator[ObjectChange]:
    was, now = ({identity(item): item for item in manifests} for manifests in (old, new))
    for key in sorted({*was, *now}):
        if was.get(key) != now.get(key):
            change = "create" if key not in was else "delete" if key not in now else "update"
            _, kind, namespace, name = key
            yield ObjectChange(change, kind, namespace, name)


def words(found: Changes) -> Iterator[str]:
    """One line for each thing that is allowed, or said, differently."""
    yield from (f"+ {sentence}" for sentence in found.gained)
    yield from (f"- {sentence}" for sentence in found.lost)
    yield from found.declared


def as_table(found: Changes) -> str:
    """The words, then the objects that it takes."""
    if not found:
        return "Nothing changes.\n"
    lines = [*words(found)] or ["Nobody may do anything else than before."]
    if found.objects:
        lines += ["", f"{len(found.objects)} object{'s' * (len(found.objects) != 1)}:"]
        lines += [f"  {item}" for item in found.objects]
    return "\n".join(lines) + "\n"


def as_json(found: Changes) -> str:
    """The same as one object; `schema` names its form."""
    return json.dumps({"schema": SCHEMA, **asdict(found), "words": [*words(found)]}, indent=2) + "\n"
