"""What a program may adjust in a derived object, and what it may not: a protection cannot be taken away quietly.

The list says what is allowed, so that a field nobody thought of is refused: where a workload is scheduled, what it may
use, how many of it run, where its images are pulled with, and notes of others in labels and annotations.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from garrison.errors import IntentError, Problem
from garrison.manifest import Manifest, identity

Adjust = Callable[[Manifest], Manifest]
Place = tuple[str, ...]

# `*` is any element of a list. Below one of these everything may change.
ALLOWED: tuple[Place, ...] = (
    *(("spec", name) for name in ("replicas", "revisionHistoryLimit", "progressDeadlineSeconds", "minReadySeconds")),
    *(
        ("spec", "template", "spec", name)
        for name in ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "priorityClassName")
    ),
    *(("spec", "template", "spec", name) for name in ("imagePullSecrets", "schedulerName", "runtimeClassName")),
    ("spec", "template", "spec", "containers", "*", "resources"),
    ("spec", "template", "spec", "initContainers", "*", "resources"),
    ("spec", "volumeClaimTemplates", "*", "spec", "resources"),
    ("spec", "volumeClaimTemplates", "*", "spec", "storageClassName"),
)
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
RUNS: Place = ("spec", "jobTemplate")  # below it a CronJob is the Job that it makes
NOTES: tuple[Place, ...] = (
    ("metadata", "labels"),
    ("metadata", "annotations"),
    ("spec", "template", "metadata", "labels"),
    ("spec", "template", "metadata", "annotations"),
)
# Words that Kubernetes, Garrison and meshes act on: a note may not have one of them.
SPOKEN = ("garrison.dev", "kubernetes.io", "k8s.io", "istio.io", "linkerd.io", "cert-manager.io")


def adjust_all(manifests: Sequence[Manifest], adjust: Adjust) -> tuple[list[Manifest], list[Manifest]]:
    """Each manifest as adjusted, and those that differ from what was derived.

    Raises IntentError with everything that `adjust` may not do.
    `adjust` gets a copy, so that an object changed in place is compared with what was derived.
    """
    adjusted: list[Manifest] = []
    problems: list[Problem] = []
    for derived in manifests:
        ours = adjust(copy.deepcopy(derived))
        problems += weakened(derived, ours)
        adjusted.append(ours)
    if problems:
        raise IntentError(sorted(set(problems)))
    return adjusted, [ours for ours, derived in zip(adjusted, manifests, strict=True) if ours != derived]


def weakened(derived: Manifest, ours: Any) -> Iterator[Problem]:
    """What of an adjusted object is not the program's to change."""
    _, kind, namespace, name = identity(derived)
    where = f"adjust({kind} {'/'.join(filter(None, (namespace, name)))})"
    if not isinstance(ours, dict):
        yield Problem(where, "gives no object back", "return the object, changed or as it was")
        return
    for place in _changes(derived, ours, ()):
        if not _allowed(kind, place, derived, ours):
            remedy = "leave it as it was derived; docs/run.md lists what may be adjusted"
            yield Problem(where, f"changes {'.'.join(place)}", remedy)


def _changes(old: Any, new: Any, place: Place) -> Iterator[Place]:
    """The places where two values differ, as deep as both have them."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}, key=str):
            if key not in old or key not in new:
                yield (*place, str(key))
            else:
                yield from _changes(old[key], new[key], (*place, str(key)))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _changes(one, other, (*place, str(number)))
    elif type(old) is not type(new) or old != new:
        yield place


def _allowed(kind: str, place: Place, old: Manifest, new: Manifest) -> bool:
    if kind == "CronJob" and place[: len(RUNS)] == RUNS:
        return _allowed("Job", place[len(RUNS) :], _at(old, RUNS), _at(new, RUNS))
    if any(place[: len(notes)] == notes for notes in NOTES):
        return _is_note(kind, place, old, new)
    return kind in WORKLOADS and any(_below(place, allowed) for allowed in ALLOWED)


def _is_note(kind: str, place: Place, old: Manifest, new: Manifest) -> bool:
    """Whether only words of others were added: what was derived stays, and nothing that somebody acts on is said."""
    in_template = kind in WORKLOADS or place[0] == "metadata"
    depth = 2 if place[0] == "metadata" else 4
    before, after = _at(old, place[:depth]) or {}, _at(new, place[:depth])
    if not in_template or not isinstance(after, Mapping):
        return False
    added = set(after) - set(before)
    return before.items() <= after.items() and not any(_spoken(str(key)) for key in added)


def _spoken(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    return any(domain == word or domain.endswith(f".{word}") for word in SPOKEN) or key.startswith("istio-")


def _at(item: Any, place: Place) -> Any:
    for key in place:
        item = item.get(key) if isinstance(item, Mapping) else None
    return item


def _below(place: Place, allowed: Place) -> bool:
    return len(place) >= len(allowed) and all(want in ("*", there) for there, want in zip(place, allowed, strict=False))
