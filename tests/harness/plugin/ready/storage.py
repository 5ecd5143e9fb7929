"""Volumes and claims."""

from __future__ import annotations

from harness.plugin.objects import Obj, dig
from harness.plugin.ready.verdict import READY, Related, Verdict, waiting

_DEFAULT = "storageclass.kubernetes.io/is-default-class"


def volume(obj: Obj, _: Related) -> Verdict:
    """Available or bound."""
    phase = dig(obj, "status", "phase", default="Pending")
    return READY if phase in ("Available", "Bound") else waiting(f"volume is {phase}")


def claim(obj: Obj, related: Related) -> Verdict:
    """Bound; a claim whose class waits for the first consumer is not awaited."""
    phase = dig(obj, "status", "phase", default="")
    if phase == "Bound" or (phase == "Pending" and _waits_for_consumer(obj, related)):
        return READY
    return waiting(f"claim is {phase or 'not seen by its controller yet'}")


def _waits_for_consumer(obj: Obj, related: Related) -> bool:
    name = dig(obj, "spec", "storageClassName")
    for item in related.get("classes", ()):
        default = dig(item, "metadata", "annotations", _DEFAULT) == "true"
        if dig(item, "metadata", "name") == name or (name is None and default):
            return item.get("volumeBindingMode") == "WaitForFirstConsumer"
    return False
