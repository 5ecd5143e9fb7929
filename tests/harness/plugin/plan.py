"""The diff of one resource: which fields change, and whether they can change in place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from harness.plugin import diff, naming, replace
from harness.plugin.api import Api
from harness.plugin.errors import ApiError, PluginError, Unreachable
from harness.plugin.objects import (
    Obj,
    dig,
    name_of,
    namespace_of,
    prune,
    with_encoded_data,
    without_server_fields,
)
from harness.plugin.session import Session
from harness.plugin.values import UNKNOWN, has_unknown


@dataclass(frozen=True)
class Plan:
    """Changed paths with their kind, those that force a replacement, and its order."""

    changes: dict[diff.Path, diff.Kind] = field(default_factory=dict)
    replaces: frozenset[diff.Path] = frozenset()
    delete_first: bool = False


@dataclass(frozen=True)
class Request:
    """What the engine asks to compare."""

    old_inputs: Obj
    live: Obj
    inputs: Obj
    manager: str
    ignore: tuple[str, ...] = ()
    patch: bool = False


def plan(session: Session, request: Request) -> Plan:
    """Compare the last known live object with the new inputs."""
    api = _api(session)
    old, new = _comparable(request.old_inputs, request), _comparable(request.inputs, request)
    if api is None:
        changes = diff.entries(old, new)
        refused: list[str] = []
    else:
        known = prune(with_encoded_data(without_server_fields(request.live)), old)
        known = _comparable(known, request)
        changes, refused = _changes(api, request, known, new)
    changes = _considered(changes, request.ignore)
    fixed = replace.fixed_fields(request.inputs, session.settings)
    replaces = {path for path in changes if diff.is_fixed(path, fixed[:2] if request.patch else fixed)}
    for name in refused:
        replaces.update(diff.matching(changes, name))
    return Plan(
        _as_written(changes, request.inputs),
        _written(replaces, request.inputs),
        bool(replaces) and _same_name(request),
    )


def _api(session: Session) -> Api | None:
    try:
        return session.api()
    except Unreachable:
        return None


def _comparable(obj: Obj, request: Request) -> Obj:
    """Both sides name their namespace as the live object does when they leave it out."""
    copy = with_encoded_data(without_server_fields(obj))
    metadata = dict(copy.get("metadata") or {})
    live = namespace_of(request.live)
    if live and not metadata.get("namespace"):
        metadata["namespace"] = live
    elif not live and metadata.get("namespace") is not UNKNOWN:
        metadata.pop("namespace", None)
    return {**copy, "metadata": metadata}


def _changes(api: Api, request: Request, known: Obj, new: Obj) -> tuple[dict[diff.Path, diff.Kind], list[str]]:
    changes = diff.entries(known, new)
    identity = any(path[:2] in (("metadata", "name"), ("metadata", "namespace")) for path in changes)
    if not changes or identity or has_unknown(new):
        return changes, []
    try:
        applied = api.apply(new, request.manager, force=True, dry_run=True)
    except ApiError as problem:
        return changes, problem.immutable_fields
    except PluginError:
        return changes, []
    return diff.entries(known, prune(without_server_fields(applied), new)), []


def _considered(changes: dict[diff.Path, diff.Kind], ignore: Iterable[str]) -> dict[diff.Path, diff.Kind]:
    patterns = [diff.parsed(text) for text in ignore]
    return {path: kind for path, kind in changes.items() if not diff.ignored(path, patterns)}


def _as_written(changes: dict[diff.Path, diff.Kind], inputs: Obj) -> dict[diff.Path, diff.Kind]:
    return {_where_written(path, inputs): kind for path, kind in changes.items()}


def _written(paths: Iterable[diff.Path], inputs: Obj) -> frozenset[diff.Path]:
    return frozenset(_where_written(path, inputs) for path in paths)


def _where_written(path: diff.Path, inputs: Obj) -> diff.Path:
    """A Secret's stringData is compared as data; show it where the program wrote it."""
    text = inputs.get("stringData")
    if inputs.get("kind") == "Secret" and path[:1] == ("data",) and isinstance(text, dict):
        return ("stringData", *path[1:]) if len(path) < 2 or path[1] in text else path
    return path


def _same_name(request: Request) -> bool:
    """Old and new cannot live side by side: delete the old one first."""
    new = request.inputs
    return (
        not naming.is_autonamed(new)
        and dig(new, "metadata", "name") == name_of(request.live)
        and namespace_of(new) in ("", namespace_of(request.live))
    )
