"""JSON as a contract may be judged by it: one reading only (RFC 8259, I-JSON RFC 7493), and bounded."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

DEPTH: Final = 64
"""Levels of arrays and objects. Pydantic and most parsers bear more; no contract here needs as many."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Malformed(ValueError):  # noqa: N818 a judgement, not an error
    """Why a text is not taken; it never holds a part of it."""


def loads(body: bytes) -> Any:
    """The value of a JSON text in UTF-8; raises Malformed for whatever two readers could read differently."""
    try:
        text = body.decode()
        value = _DECODER.decode(text)
    except UnicodeDecodeError:
        raise Malformed("it is not UTF-8") from None
    except Malformed:
        raise
    except RecursionError:
        raise Malformed(f"it has more than {DEPTH} levels") from None
    except ValueError:
        raise Malformed("it is not JSON") from None
    if body.count(b"[") + body.count(b"{") > DEPTH and _deeper(value):  # no more levels than brackets
        raise Malformed(f"it has more than {DEPTH} levels")
    if _SURROGATE.search(text):
        _characters(value)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Malformed("an object in it names a field twice")
    return made


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise Malformed("a number in it is too large")
    return value


def _constant(_: str) -> NoReturn:
    raise Malformed("it has a number that JSON does not know")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_constant=_constant)


def _deeper(value: Any) -> bool:
    level = [value]
    for _ in range(DEPTH + 1):
        within = (part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list))
        if not (level := [part for parts in within for part in parts]):
            return False
    return True


def _characters(value: Any) -> None:
    """An escaped half of a surrogate pair is no character."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Malformed("it has half a character") from None
