"""JSON schemas of an OpenAPI document, each made to stand alone: what a request must fit, and nothing else of it.

Of JSON Schema 2020-12 the vocabulary that asserts is kept; descriptions, examples and defaults are left out. What a
schema refers to is brought along under `$defs`. OpenAPI 3.0's own words (`nullable`, exclusive bounds as booleans,
`int32`) are said in those of JSON Schema; `readOnly` properties are no part of a request (OpenAPI 3.1, section 4.8.24).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Json = dict[str, Any]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
TYPES: Final = ("array", "boolean", "integer", "null", "number", "object", "string")

_VALUES = {
    *("type", "enum", "const", "required", "dependentRequired", "format", "uniqueItems"),
    *("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf", "maxLength", "minLength", "pattern"),
    *("maxItems", "minItems", "maxContains", "minContains", "maxProperties", "minProperties"),
}
_ONE = {
    *("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"),
    *("unevaluatedItems", "unevaluatedProperties"),
}
_MANY = {"allOf", "anyOf", "oneOf", "prefixItems"}
_NAMED = {"properties", "patternProperties", "dependentSchemas"}
_ELSEWHERE = ("$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef")
_WHOLE = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
# What RE2 and Rust's engine do not know, because it cannot be matched in linear time.
_BACKTRACKING = re.compile(r"(?:^|[^\\])(?:\\\\)*(?:\(\?(?:[=!]|<[=!])|\\[1-9]|\\k<)")


class ContractError(Exception):
    """What of a document cannot be held against a request."""


def alone(document: Mapping[str, Any], schema: Any) -> Json:
    """`schema` of `document` with everything that it refers to, as one schema of JSON Schema 2020-12."""
    bundle = _Bundle(document)
    made = bundle.schema(schema)
    while bundle.wanted:
        pointer = bundle.wanted.pop()
        bundle.known[pointer] = bundle.schema(resolved(document, f"#{pointer}"))
    made = made if isinstance(made, dict) else ({} if made else {"not": {}})
    definitions = {_key(pointer): body for pointer, body in sorted(bundle.known.items())}
    return {"$schema": DIALECT, **made, **({"$defs": definitions} if definitions else {})}


def resolved(document: Mapping[str, Any], reference: Any) -> Any:
    """What a local reference names (RFC 6901); raises ContractError where that is nothing here."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise ContractError(f"it refers to {reference!r}, which is in another file")
    found: Any = document
    for part in reference[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or name not in found:
            raise ContractError(f"it refers to {reference!r}, which is nowhere in it")
        found = found[name]
    return found


def types(schema: Any, definitions: Mapping[str, Any] | None = None, depth: int = 0) -> set[str]:
    """Which types an instance can have, as far as the schema says at its top; all where it says nothing."""
    if schema is False or depth > 16:
        return set()
    if schema is True:
        return set(TYPES)
    definitions = schema.get("$defs", {}) if definitions is None else definitions
    found = set(TYPES)
    if "type" in schema:
        said = {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])
        found &= said | ({"integer"} if "number" in said else set())
    for values in (schema.get("enum"), [schema["const"]] if "const" in schema else None):
        if values is not None:
            found &= {_type(value) for value in values}
    if "$ref" in schema:
        target = definitions.get(schema["$ref"].removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~"), False)
        found &= types(target, definitions, depth + 1)
    for part in schema.get("allOf", ()):
        found &= types(part, definitions, depth + 1)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            found &= set().union(*(types(part, definitions, depth + 1) for part in schema[word]))
    return found


def _type(value: Any) -> str:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def _key(pointer: str) -> str:
    """A schema's name in the bundle: that of its component, or the whole pointer where it is no component."""
    name = pointer.removeprefix("/components/schemas/")
    return pointer if "/" in name else name


class _Bundle:
    """One walk through a schema and what it refers to."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.old = str(document.get("openapi", "")).startswith("3.0")
        self.known: dict[str, Any] = {}
        self.wanted: list[str] = []

    def schema(self, schema: Any) -> Any:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, Mapping):
            raise ContractError(f"a schema in it is {type(schema).__name__}, no object")
        if elsewhere := next((word for word in _ELSEWHERE if word in schema), None):
            raise ContractError(f"a schema in it uses {elsewhere!r}, which is not supported")
        if "$ref" in schema and self.old:
            return {"$ref": self._reference(schema["$ref"])}
        made = dict(self._words(schema))
        if schema.get("format") in _WHOLE:
            least, most = _WHOLE[schema["format"]]
            made = {"allOf": [made, {"minimum": least, "maximum": most}]}
        if self.old and schema.get("nullable") is True:
            made = {"anyOf": [made, {"type": "null"}]}
        return made

    def _words(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        hidden = {
            name
            for name, body in _mapping(schema, "properties").items()
            if isinstance(body, Mapping) and body.get("readOnly") is True
        }
        for word, value in schema.items():
            if word == "$ref":
                yield word, self._reference(value)
            elif word in _VALUES:
                yield from self._value(schema, word, value, hidden)
            elif word in _ONE:
                yield word, self.schema(value)
            elif word in _MANY and isinstance(value, list):
                yield word, [self.schema(part) for part in value]
            elif word in _NAMED:
                parts = _mapping(schema, word)
                _linear(parts if word == "patternProperties" else ())
                yield word, {name: False if name in hidden else self.schema(body) for name, body in parts.items()}

    def _value(self, schema: Mapping[str, Any], word: str, value: Any, hidden: set[str]) -> Iterator[tuple[str, Any]]:
        if self.old and word in ("exclusiveMinimum", "exclusiveMaximum"):
            bound = word[9:].lower()
            if value is True and bound in schema:
                yield word, schema[bound]
        elif word == "required":
            yield word, [name for name in value if name not in hidden]
        elif word != "format" or value not in _WHOLE:
            _linear([value] if word == "pattern" else ())
            yield word, value

    def _reference(self, reference: Any) -> str:
        resolved(self.document, reference)
        pointer = reference[1:]
        if pointer not in self.known:
            self.known[pointer] = True
            self.wanted.append(pointer)
        return "#/$defs/" + _key(pointer).replace("~", "~0").replace("/", "~1")


def _mapping(schema: Mapping[str, Any], word: str) -> Mapping[str, Any]:
    value = schema.get(word, {})
    if not isinstance(value, Mapping):
        raise ContractError(f"{word!r} of a schema in it is no object")
    return value


def _linear(patterns: Any) -> None:
    for pattern in patterns:
        if not isinstance(pattern, str) or _BACKTRACKING.search(pattern):
            what = "looks around or back, so that the time it takes has no bound"
            raise ContractError(f"the pattern {pattern!r} {what}")
