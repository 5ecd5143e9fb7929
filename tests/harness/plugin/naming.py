"""Names for objects that were given none: the Pulumi name, a dash and eight hexadecimal digits."""

from __future__ import annotations

import hashlib
import secrets
from copy import deepcopy
from typing import Final

from harness.plugin.errors import PluginError
from harness.plugin.objects import Obj, annotation, dig, name_of
from harness.plugin.values import UNKNOWN

AUTONAMED: Final = "autonamed"


def is_named(obj: Obj) -> bool:
    """Whether the program chose the name, be it one that is only known later."""
    return bool(name_of(obj)) or dig(obj, "metadata", "name") is UNKNOWN


def is_autonamed(obj: Obj) -> bool:
    """Whether the name is ours."""
    return annotation(obj, AUTONAMED) == "true"


def fresh(logical: str, seed: bytes) -> str:
    """A new name; the engine's seed, where there is one, makes preview and update agree."""
    suffix = hashlib.sha256(seed + logical.encode()).hexdigest()[:8] if seed else ""
    return f"{logical}-{suffix or secrets.token_hex(4)}"


def named(obj: Obj, name: str) -> Obj:
    """A copy with this automatic name."""
    copy = deepcopy(obj)
    metadata = copy.setdefault("metadata", {})
    if isinstance(metadata, dict):
        metadata["name"] = name
        notes = metadata.setdefault("annotations", {})
        if isinstance(notes, dict):
            notes[f"pulumi.com/{AUTONAMED}"] = "true"
    return copy


def complete(obj: Obj, old: Obj, logical: str, seed: bytes, proposed: str, *, off: bool) -> Obj:
    """The object with a name: its own, the one it was given earlier, or a fresh one."""
    if dig(obj, "metadata", "generateName"):
        raise PluginError("metadata.generateName is not supported with server-side apply")
    if is_named(obj):
        return obj
    if old:
        return named(obj, name_of(old)) if is_autonamed(old) else obj
    if off:
        raise PluginError("autonaming is disabled: set metadata.name")
    return named(obj, proposed or fresh(logical, seed))
