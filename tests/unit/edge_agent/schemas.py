"""Random JSON schemas, and values near to what they allow."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
NAMES = st.sampled_from(["a", "b", "c", "a/b", "~", "", "type", "$ref"])
TEXT = st.sampled_from(["", "a", "ab", "abc", "A", "1", "ä", "😀", "2026-11-27", "a b"])
SMALL = st.integers(-3, 4)
NUMBER = SMALL | st.sampled_from([0.5, 1.5, -0.5, 2.0, 1e20, 10**20])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
TYPES = st.sampled_from(["array", "boolean", "integer", "null", "number", "object", "string"])
COUNT = st.integers(0, 3)


def _some(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=parts)


LEAVES = st.one_of(
    st.booleans(),
    _some(type=TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True)),
    _some(enum=st.lists(VALUES, min_size=1, max_size=3)),
    _some(const=VALUES),
    _some(minimum=NUMBER, maximum=NUMBER, exclusiveMinimum=NUMBER, exclusiveMaximum=NUMBER),
    _some(multipleOf=st.sampled_from([1, 2, 3, 0.5])),
    _some(minLength=COUNT, maxLength=COUNT, pattern=st.sampled_from(["^a", "b$", "^[a-z]{1,2}$", "[0-9]", "^$"])),
    _some(required=st.lists(NAMES, max_size=2, unique=True), minProperties=COUNT, maxProperties=COUNT),
    _some(minItems=COUNT, maxItems=COUNT, uniqueItems=st.booleans()),
)
SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        _some(
            properties=st.dictionaries(NAMES, inner, max_size=3),
            additionalProperties=inner,
            patternProperties=st.dictionaries(st.sampled_from(["^a", "b"]), inner, max_size=1),
            propertyNames=inner,
            dependentRequired=st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=1),
        ),
        _some(items=inner, prefixItems=st.lists(inner, min_size=1, max_size=2), contains=inner, minContains=COUNT),
        _some(allOf=st.lists(inner, min_size=1, max_size=2), anyOf=st.lists(inner, min_size=1, max_size=2)),
        _some(oneOf=st.lists(inner, min_size=1, max_size=3)),
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"if": inner, "then": inner, "else": inner}),
        st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "unevaluatedProperties": inner,
                "anyOf": st.lists(inner, min_size=1, max_size=2),
            }
        ),
    ),
    max_leaves=6,
)


def instances(schema: Any) -> st.SearchStrategy[Any]:
    """Values that have a chance to fit: of the schema's own properties and constants, and any others."""
    near: list[st.SearchStrategy[Any]] = [VALUES]
    if isinstance(schema, dict):
        near += [st.sampled_from(schema["enum"])] if "enum" in schema else []
        near += [st.just(schema["const"])] if "const" in schema else []
        if "properties" in schema:
            near.append(st.fixed_dictionaries({}, optional={n: instances(s) for n, s in schema["properties"].items()}))
        if "items" in schema:
            near.append(st.lists(instances(schema["items"]), max_size=3))
        for word in ("allOf", "anyOf", "oneOf"):
            near += [instances(part) for part in schema.get(word, ())]
    return st.one_of(near)
