"""Values of one's own for a chart: where pods run and where their images are from, never what they may or guard.

They go under what Garrison asks for, and a value that says otherwise is refused by its key. What a chart makes of the
others is looked at as well: its rights, webhooks and kinds stay as they are, and its programs are told what they are
told without.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from garrison.deployment.platform.helm import ChartError
from garrison.errors import Problem
from garrison.manifest import Manifest, identity

# What gives or guards a right. Nothing is added to these, and nothing taken away.
FIXED: Final = frozenset(
    {
        *("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "NetworkPolicy"),
        *("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "Namespace", "Secret", "Job"),
    }
)
_SETTING: Final = "chartValues"


def merged(name: str, needed: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """One's own values with what Garrison needs on top; ChartError names every key that says otherwise."""
    try:
        own = yaml.safe_load(file.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ChartError(f"{_SETTING}: {file} cannot be read ({' '.join(str(error).split())})") from None
    if not isinstance(own, dict):
        raise ChartError(f"{_SETTING}: {file} has no values; write them as the chart's values.yaml does")
    if found := [Problem(_SETTING, f"{name}: {what}", f"leave it out of {file}") for what in _conflicts(own, needed)]:
        raise ChartError(found)
    return _under(own, needed)


def _conflicts(own: Mapping[str, Any], needed: Mapping[str, Any], at: str = "") -> Iterator[str]:
    for key in sorted({*own} & {*needed}):
        mine, theirs, place = own[key], needed[key], f"{at}{key}"
        if isinstance(mine, dict) and isinstance(theirs, Mapping):
            yield from _conflicts(mine, theirs, f"{place}.")
        elif mine != theirs or isinstance(mine, bool) != isinstance(theirs, bool):
            yield f"{place} is {mine!r}, and Garrison needs {theirs!r}"


def _under(own: Mapping[str, Any], needed: Mapping[str, Any]) -> dict[str, Any]:
    both = {key: _under(own[key], needed[key]) for key in needed if isinstance(own.get(key), dict)}
    return {**own, **needed, **both}


def check(name: str, file: Path, ours: Sequence[Manifest], made: Sequence[Manifest]) -> None:
    """Raise ChartError where one's own values change more than how and where the chart's pods run."""
    if found := sorted(_changed(ours, made)):
        remedy = f"leave what does it out of {file}"
        raise ChartError([Problem(_SETTING, f"{name}: it {what}", remedy) for what in found])


def _changed(ours: Sequence[Manifest], made: Sequence[Manifest]) -> Iterator[str]:
    before, after = ({identity(item): item for item in items} for items in (ours, made))
    for key in {*before} | {*after}:
        kind, name = key[1], key[3]
        if key not in after:
            yield f"takes {kind} {name} away"
        elif kind in FIXED and _meaning(after[key]) != _meaning(before.get(key, {})):
            yield f"{'changes' if key in before else 'adds'} {kind} {name}"
        elif key in before and (said := _told(before[key], after[key])):
            yield f"tells {kind} {name} {said}"


def _meaning(item: Manifest) -> Manifest:
    """An object without its labels and annotations."""
    return {key: value for key, value in item.items() if key != "metadata"}


def _told(before: Manifest, after: Manifest) -> str:
    """An argument that was changed or taken away, or a flag of ours that is said again: the last one counts."""
    programs = {one["name"]: one.get("args", []) for one in _containers(after)}
    for one in _containers(before):
        words, now = one.get("args", []), programs.get(one["name"], [])
        if lost := [word for word in words if word not in now]:
            return f"{lost[0]} no more"
        if twice := sorted({*_flags(words)} & {*_flags(word for word in now if word not in words)}):
            return f"{twice[0]} twice"
    return ""


def _flags(words: Iterable[str]) -> Iterator[str]:
    return (word.partition("=")[0] for word in words)


def _containers(item: Manifest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = item.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
    return found
