"""Values that a JSON schema (as OpenAPI 3 has them) admits, and for each keyword of it one that it does not.

No validator: it knows the keywords that it breaks, one at a time, and leaves the rest of the value good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]
DEEP: Final = 12  # of schemas in schemas: one that contains itself ends there
FORMATS: Final = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "email": "probe@garrison.example",
    "hostname": "garrison.example",
    "uri": "https://garrison.example/",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "decimal": "1.00",
}
WORDS: Final = (
    "1",
    "a",
    "A",
    "probe",
    "garrison-probe",
    "EUR",
    "1.00",
    "ab",
    "AB",
    "a1",
    "A1",
    "0001",
    *FORMATS.values(),
)
UNKNOWN: Final = "garrison-unknown"
UNLIKELY: Final = "\u2021 garrison \u2021"  # what no pattern of names, numbers or codes admits
OTHER_TYPE: Final[Mapping[str, Any]] = {
    "object": [],
    "array": {},
    "string": 7,
    "integer": "seven",
    "number": "seven",
    "boolean": "yes",
    "null": 7,
}


class NoSampleError(ValueError):
    """No good value was found: an `example` in the document would help."""


@dataclass(frozen=True)
class Schemas:
    """The schemas of one document, in which they may name each other."""

    document: Mapping[str, Any]

    def plain(self, schema: Schema | bool) -> Schema:
        """Without `$ref`, `allOf` and alternatives: the first of these stands for all."""
        if isinstance(schema, bool):
            return {}
        found = dict(schema)
        for _ in range(DEEP):
            if ref := found.pop("$ref", None):
                found = {**self._named(str(ref)), **found}
            for word in ("anyOf", "oneOf"):
                if options := found.pop(word, None):
                    found = {**options[0], **found}
            for part in found.pop("allOf", ()):
                found = _joined(found, self.plain(part))
            if not {"$ref", "anyOf", "oneOf", "allOf"} & set(found):
                break
        return found

    def _named(self, ref: str) -> Schema:
        found: Any = self.document
        for part in ref.removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        result: Schema = found
        return result

    # --- good --------------------------------------------------------------------------------------------------------

    def sample(self, schema: Schema | bool, depth: int = 0) -> Any:
        """A value that the schema admits, with required properties only."""
        plain = self.plain(schema)
        for word in ("const", "example", "default"):
            if word in plain:
                return deepcopy(plain[word])
        for word in ("enum", "examples"):
            if isinstance(plain.get(word), list) and plain[word]:
                return deepcopy(plain[word][0])
        if depth > DEEP:
            raise NoSampleError("the schema contains itself")
        return self._of_type(plain, depth)

    def _of_type(self, plain: Schema, depth: int) -> Any:
        match type_of(plain):
            case "object":
                properties = plain.get("properties", {})
                return {name: self.sample(properties.get(name, {}), depth + 1) for name in plain.get("required", ())}
            case "array":
                count = plain.get("minItems", 0)
                return [self.sample(plain.get("items", {}), depth + 1) for _ in range(count)]
            case "integer" | "number":
                return _number(plain)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return _string(plain)

    # --- bad ---------------------------------------------------------------------------------------------------------

    def violations(self, schema: Schema | bool) -> Iterator[tuple[str, Any]]:
        """For each keyword that the schema has anywhere one value that breaks it, and which it is."""
        seen: set[str] = set()
        alternatives = not isinstance(schema, bool) and any(word in schema for word in ("anyOf", "oneOf"))
        for keyword, where, value in self._broken(schema, (), 0) if not alternatives else ():
            if keyword not in seen:
                seen.add(keyword)
                yield f"{keyword} at {'/' + '/'.join(map(str, where))}", value

    def _broken(
        self, schema: Schema | bool, where: tuple[str | int, ...], depth: int
    ) -> Iterator[tuple[str, Any, Any]]:
        plain = self.plain(schema)
        if depth > DEEP:
            return
        good = self.sample(schema)
        for keyword, value in _at(plain, good):
            yield keyword, where, value
        if isinstance(good, dict):
            for name, inner in plain.get("properties", {}).items():
                if name in good and not _alternatives(inner):
                    for keyword, place, value in self._broken(inner, (*where, name), depth + 1):
                        yield keyword, place, {**good, name: value}
        elif isinstance(good, list) and good and not _alternatives(plain.get("items", {})):
            for keyword, place, value in self._broken(plain["items"], (*where, 0), depth + 1):
                yield keyword, place, [value, *good[1:]]


def type_of(plain: Schema) -> str:
    """The schema's type, the first where it has several; what its keywords say where it names none."""
    named = plain.get("type")
    if isinstance(named, list):
        return str(next((word for word in named if word != "null"), "null"))
    if named:
        return str(named)
    return "object" if "properties" in plain else "array" if "items" in plain else ""


def _at(plain: Schema, good: Any) -> Iterator[tuple[str, Any]]:
    """Values that break one keyword of this very schema."""
    kind, types = type_of(plain), plain.get("type")
    if types and not isinstance(types, list):
        yield "type", OTHER_TYPE[kind]
    if "enum" in plain and UNKNOWN not in plain["enum"] and kind in ("", "string"):
        yield "enum", UNKNOWN
    if isinstance(good, dict):
        yield from _bad_objects(plain, good)
    elif isinstance(good, str):
        yield from _bad_strings(plain)
    elif isinstance(good, list):
        yield from _bad_arrays(plain, good)
    elif isinstance(good, (int, float)) and not isinstance(good, bool):
        yield from _bad_numbers(plain)


def _bad_objects(plain: Schema, good: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    if required := [name for name in plain.get("required", ()) if name in good]:
        yield "required", {name: value for name, value in good.items() if name != required[0]}
    if plain.get("additionalProperties") is False or plain.get("unevaluatedProperties") is False:
        yield "additionalProperties", {**good, UNKNOWN: 1}


def _bad_arrays(plain: Schema, good: list[Any]) -> Iterator[tuple[str, Any]]:
    if plain.get("minItems"):
        yield "minItems", good[: plain["minItems"] - 1]
    if "maxItems" in plain and good:
        yield "maxItems", (good * (plain["maxItems"] + 1))[: plain["maxItems"] + 1]
    if plain.get("uniqueItems") and good and plain.get("maxItems", len(good) + 1) > len(good):
        yield "uniqueItems", [*good, good[0]]


def _bad_strings(plain: Schema) -> Iterator[tuple[str, str]]:
    if plain.get("minLength"):
        yield "minLength", "a" * (plain["minLength"] - 1)
    if "maxLength" in plain:
        yield "maxLength", "a" * (plain["maxLength"] + 1)
    if "pattern" in plain and not re.search(plain["pattern"], UNLIKELY):
        yield "pattern", UNLIKELY


def _bad_numbers(plain: Schema) -> Iterator[tuple[str, float]]:
    changes = {"minimum": -1, "maximum": 1, "exclusiveMinimum": 0, "exclusiveMaximum": 0}
    for keyword, change in changes.items():
        bound = plain.get(keyword)
        if isinstance(bound, (int, float)) and not isinstance(bound, bool):
            yield keyword, bound + change


def _alternatives(schema: Any) -> bool:
    return isinstance(schema, Mapping) and any(word in schema for word in ("anyOf", "oneOf"))


def _joined(one: Schema, other: Schema) -> dict[str, Any]:
    properties = {**other.get("properties", {}), **one.get("properties", {})}
    required = [*dict.fromkeys((*one.get("required", ()), *other.get("required", ())))]
    joined = {**other, **one}
    return joined | ({"properties": properties} if properties else {}) | ({"required": required} if required else {})


def _number(plain: Schema) -> float:
    low, high = plain.get("minimum"), plain.get("maximum")
    if isinstance(plain.get("exclusiveMinimum"), (int, float)):
        low = plain["exclusiveMinimum"] + 1
    if isinstance(plain.get("exclusiveMaximum"), (int, float)):
        high = plain["exclusiveMaximum"] - 1
    found: float = low if low is not None else min(1, high) if high is not None else 1
    step = plain.get("multipleOf")
    return -(-found // step) * step if step else found


def _string(plain: Schema) -> str:
    if word := FORMATS.get(plain.get("format", "")):
        return word
    low, high = plain.get("minLength", 0), plain.get("maxLength", 10_000)
    for word in (
        *WORDS,
        *("a" * n for n in range(low, min(high, low + 64) + 1)),
        *("1" * n for n in range(low, low + 64)),
    ):
        if low <= len(word) <= high and ("pattern" not in plain or re.search(plain["pattern"], word)):
            return word
    raise NoSampleError(f"no string for the pattern {plain.get('pattern')!r}: give the schema an `example`")
