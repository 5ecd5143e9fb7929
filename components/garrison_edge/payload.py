"""Claims as the proxy keeps them: google.protobuf.Value, as its wire format has it, for `header_to_metadata`.

Only JSON goes in, so four kinds of field are all there is; a protobuf library would be the agent's largest part.
"""

from __future__ import annotations

import base64
import struct
from typing import Any, Final

_NULL, _NUMBER, _STRING, _BOOL, _STRUCT, _LIST = range(1, 7)  # google/protobuf/struct.proto, Value.kind
_VARINT, _DOUBLE, _BYTES = 0, 1, 2  # wire types
MOST: Final = 8 * 1024
"""The longest value that the proxy takes as metadata, in letters of base64."""


def written(claims: dict[str, Any]) -> str:
    """The claims in base64. Scopes are a list, as the proxy makes one of a token's (`space_delimited_claims`)."""
    scope = claims.get("scope")
    said = claims | ({"scope": scope.split(" ")} if isinstance(scope, str) else {})
    return base64.b64encode(_value(said)).decode()


def _value(value: Any) -> bytes:
    if value is None:
        return _tag(_NULL, _VARINT) + b"\0"
    if isinstance(value, bool):
        return _tag(_BOOL, _VARINT) + bytes([value])
    if isinstance(value, int | float):
        return _tag(_NUMBER, _DOUBLE) + struct.pack("<d", value)
    if isinstance(value, str):
        return _field(_STRING, value.encode())
    if isinstance(value, list):
        return _field(_LIST, b"".join(_field(1, _value(one)) for one in value))
    pairs = (_field(1, name.encode()) + _field(2, _value(one)) for name, one in value.items())
    return _field(_STRUCT, b"".join(_field(1, pair) for pair in pairs))


def _field(number: int, content: bytes) -> bytes:
    return _tag(number, _BYTES) + _varint(len(content)) + content


def _tag(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    more = bytearray()
    while value > 0x7F:
        more.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*more, value])
