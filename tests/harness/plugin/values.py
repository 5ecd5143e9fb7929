"""Pulumi property values to plain Python and back.

Secrets and unknown values travel inside the protocol's structs under fixed signatures. They become
`Secret` and `UNKNOWN` here, so that no other module has to know how they are marked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf import struct_pb2

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Unknown:
    """The type of UNKNOWN, a value that only the real update will know."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True)
class Secret:
    """A value the engine must encrypt in its state and hide in its output."""

    value: Any


def _decode_struct(struct: struct_pb2.Struct) -> Any:
    signature = struct.fields[SIGNATURE].string_value if SIGNATURE in struct.fields else ""
    if signature == SECRET:
        return Secret(_decode(struct.fields["value"]))
    if signature == OUTPUT:
        value = _decode(struct.fields["value"]) if "value" in struct.fields else UNKNOWN
        return Secret(value) if struct.fields["secret"].bool_value else value
    return decode(struct)


def _decode(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    if kind == "string_value":
        return UNKNOWN if value.string_value == UNKNOWN_STRING else value.string_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    return _decode_struct(value.struct_value) if kind == "struct_value" else None


def decode(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A protocol struct as a dict, without its null fields (as the official plugin does)."""
    found = {key: _decode(value) for key, value in struct.fields.items()}
    return {key: value for key, value in found.items() if value is not None}


def _marked(value: Any) -> Any:
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET, "value": _marked(value.value)}
    if isinstance(value, Unknown):
        return UNKNOWN_STRING
    if isinstance(value, Mapping):
        return {key: _marked(item) for key, item in value.items()}
    return [_marked(item) for item in value] if isinstance(value, list) else value


def encode(value: Mapping[str, Any]) -> struct_pb2.Struct:
    """The inverse of `decode`."""
    struct = struct_pb2.Struct()
    struct.update(_marked(value))
    return struct


def plain(value: Any) -> Any:
    """A deep copy with the secret marks taken off (unknown values stay)."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _any(value: Any, test: Callable[[Any], bool]) -> bool:
    if test(value):
        return True
    if isinstance(value, Secret):
        return _any(value.value, test)
    if isinstance(value, Mapping):
        return any(_any(item, test) for item in value.values())
    return isinstance(value, list) and any(_any(item, test) for item in value)


def has_unknown(value: Any) -> bool:
    """Whether anything inside is only known after the update."""
    return _any(value, lambda item: isinstance(item, Unknown))


def has_secret(value: Any) -> bool:
    """Whether anything inside is marked secret."""
    return _any(value, lambda item: isinstance(item, Secret))


def mark_secrets(value: dict[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    """`value` with every field marked secret that is secret in `source` or is a Secret's data.

    Maps are followed, so that one secret does not hide its whole object; a list that holds a secret
    is marked as a whole, because the server may reorder it.
    """
    if value.get("kind") == "Secret":
        hidden = ("data", "stringData")
        return {k: Secret(plain(v)) if k in hidden else v for k, v in value.items()}
    marked = dict(value)
    for key, given in source.items():
        mine = value.get(key)
        if isinstance(mine, dict) and isinstance(given, Mapping):
            marked[key] = mark_secrets(mine, given)
        elif mine is not None and not isinstance(mine, Secret) and has_secret(given):
            marked[key] = Secret(mine)
    return marked
