"""Small questions about Kubernetes objects held as plain dicts, and the shape of their state.

The state of a resource is its live object plus the inputs that made it (`__inputs`), the version it
was first written with and the field manager: the same keys as the official plugin, so that either
can continue a stack of the other.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from harness.plugin.values import mark_secrets, plain

Obj = dict[str, Any]
INPUTS: Final = "__inputs"
FIRST_VERSION: Final = "__initialApiVersion"
MANAGER: Final = "__fieldManager"
DEFAULT_MANAGER: Final = "pulumi-kubernetes"
SERVER_FIELDS: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)
SCHEMA_KEYS: Final = tuple(
    f"x-kubernetes-{name}"
    for name in (
        "embedded-resource",
        "int-or-string",
        "list-map-keys",
        "list-type",
        "map-type",
        "preserve-unknown-fields",
        "validations",
    )
)
_TO_UNDERSCORE: Final = {key: key.replace("-", "_") for key in SCHEMA_KEYS}
_TO_DASH: Final = {value: key for key, value in _TO_UNDERSCORE.items()}


def dig(obj: Any, *path: str, default: Any = None) -> Any:
    """The value at a path of keys, or the default where anything on the way is missing."""
    for key in path:
        if not isinstance(obj, Mapping) or key not in obj:
            return default
        obj = obj[key]
    return obj


def name_of(obj: Obj) -> str:
    """metadata.name, or an empty string while it is unknown or missing."""
    name = dig(obj, "metadata", "name")
    return name if isinstance(name, str) else ""


def namespace_of(obj: Obj) -> str:
    """metadata.namespace, or an empty string."""
    namespace = dig(obj, "metadata", "namespace")
    return namespace if isinstance(namespace, str) else ""


def annotation(obj: Obj, key: str) -> str:
    """An annotation of the `pulumi.com/` family."""
    value = dig(obj, "metadata", "annotations", f"pulumi.com/{key}", default="")
    return value if isinstance(value, str) else ""


def identity(obj: Obj) -> str:
    """The Pulumi id: `namespace/name`, or `name` for cluster-scoped objects."""
    namespace = namespace_of(obj)
    return f"{namespace}/{name_of(obj)}" if namespace else name_of(obj)


def split_identity(identifier: str) -> tuple[str, str]:
    """The namespace (may be empty) and name of a Pulumi id."""
    namespace, _, name = identifier.rpartition("/")
    return namespace, name


def _rename(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, Mapping):
        return {names.get(key, key): _rename(item, names) for key, item in value.items()}
    return [_rename(item, names) for item in value] if isinstance(value, list) else value


def from_properties(properties: Mapping[str, Any]) -> Obj:
    """Pulumi properties as the object to send: no secret marks, `x-kubernetes-` keys restored."""
    renamed: Obj = _rename(plain(properties), _TO_DASH)
    return renamed


def without_server_fields(obj: Obj) -> Obj:
    """A copy without the metadata that only the server writes."""
    copy = deepcopy(obj)
    metadata = copy.get("metadata")
    if isinstance(metadata, dict):
        for field in SERVER_FIELDS:
            metadata.pop(field, None)
    return copy


def with_encoded_data(obj: Obj) -> Obj:
    """A Secret with its stringData folded into data, as the server stores it."""
    text = obj.get("stringData")
    if obj.get("kind") != "Secret" or not isinstance(text, dict):
        return obj
    encoded = {
        key: base64.b64encode(value.encode()).decode() if isinstance(value, str) else value
        for key, value in text.items()
    }
    folded = {key: value for key, value in obj.items() if key != "stringData"}
    return {**folded, "data": {**(obj.get("data") or {}), **encoded}}


def prune(live: Any, shape: Any) -> Any:
    """The part of a live value that the inputs speak about."""
    if isinstance(live, Mapping) and isinstance(shape, Mapping):
        return {key: prune(live[key], shape[key]) for key in live if key in shape}
    if isinstance(live, list) and isinstance(shape, list):
        return [prune(mine, wanted) for mine, wanted in zip(live, shape, strict=False)]
    return live


def live_inputs(live: Obj, inputs: Obj) -> Obj:
    """The inputs as they would have to be written to give the live object."""
    found: Obj = prune(live, inputs)
    text = inputs.get("stringData")
    if inputs.get("kind") == "Secret" and isinstance(text, dict):
        data = live.get("data") or {}
        found["stringData"] = {key: _decoded(data[key]) for key in text if key in data}
    return found


def _decoded(value: str) -> str:
    return base64.b64decode(value).decode(errors="replace")


def to_state(inputs: Obj, live: Obj, given: Mapping[str, Any], version: str, manager: str) -> Obj:
    """The state to keep: the live object and its inputs, with everything secret marked."""
    shown: Obj = _rename(live, _TO_UNDERSCORE)
    kept: Obj = _rename(inputs, _TO_UNDERSCORE)
    return {
        **mark_secrets(shown, given),
        INPUTS: mark_secrets(kept, given),
        FIRST_VERSION: version,
        MANAGER: manager,
    }


def from_state(state: Mapping[str, Any]) -> tuple[Obj, Obj]:
    """The inputs and the live object of a state."""
    everything = from_properties(state)
    inputs = everything.pop(INPUTS, {})
    for key in (FIRST_VERSION, MANAGER):
        everything.pop(key, None)
    return inputs, everything
