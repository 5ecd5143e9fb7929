"""What an unquoted word of YAML means to kubectl: the table of go-yaml v2, which sigs.k8s.io/yaml reads with."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import Any

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_NUMERIC = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_OCTAL = re.compile(r"\A([-+]?)0([0-7]+)\Z")
_DIGITS = 20  # of the largest 64-bit number; a longer one is a float in Go


@lru_cache(maxsize=8192)
def resolve(word: str) -> Any:
    """A boolean, number or null where the word means one, else the word. Dates stay text, as they do in JSON."""
    if word in _WORDS:
        return _WORDS[word]
    if word[0] not in _NUMERIC:
        return word
    plain = word.replace("_", "")
    if _INTEGER.match(plain) and len(plain) <= _DIGITS:
        return int(_OCTAL.sub(r"\g<1>0o\2", plain), 0)
    number = float(plain) if _FLOAT.match(plain) else math.inf
    return number if math.isfinite(number) else word  # beyond all bounds it is a word to go-yaml
