"""Samples are good and violations are bad, as a validator judges that nobody here wrote."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from garrison.prove.expect.schemas import NoSampleError, Schemas

ORDER: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["item", "count", "tags", "kind", "address"],
    "properties": {
        "item": {"type": "string", "pattern": "^[a-z][-a-z0-9]*$", "minLength": 1, "maxLength": 20},
        "count": {"type": "integer", "minimum": 1, "maximum": 100},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "kind": {"enum": ["new", "used"]},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 2, "maxItems": 4},
        "address": {"$ref": "#/components/schemas/Address"},
    },
}
DOCUMENT = {
    "components": {
        "schemas": {
            "Address": {
                "type": "object",
                "required": ["city"],
                "properties": {"city": {"type": "string", "minLength": 2}},
            }
        }
    }
}


def is_valid(schema: Any, value: Any) -> bool:
    return bool(Draft202012Validator({**DOCUMENT, **schema}).is_valid(value))


def test_each_keyword_is_broken_once_and_only_in_its_place() -> None:
    schemas = Schemas(DOCUMENT)
    assert is_valid(ORDER, schemas.sample(ORDER))
    found = dict(schemas.violations(ORDER))
    assert {name.split(" ")[0] for name in found} == {
        *("type", "required", "additionalProperties", "pattern", "minLength", "maxLength"),
        *("minimum", "maximum", "enum", "minItems", "maxItems"),
    }
    for name, value in found.items():
        assert not is_valid(ORDER, value), name


schemas_of_values = st.recursive(
    st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("string")}, optional={"minLength": st.integers(0, 5), "maxLength": st.integers(5, 9)}
        ),
        st.fixed_dictionaries(
            {"type": st.just("integer")}, optional={"minimum": st.integers(-5, 5), "maximum": st.integers(5, 9)}
        ),
        st.fixed_dictionaries({"type": st.just("boolean")}),
        st.just({"$ref": "#/components/schemas/Address"}),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {"type": st.just("array"), "items": inner},
            optional={"minItems": st.integers(0, 2), "maxItems": st.integers(2, 4)},
        ),
        st.builds(
            lambda properties, closed: {
                "type": "object",
                "properties": properties,
                "required": sorted(properties)[:2],
                **({"additionalProperties": False} if closed else {}),
            },
            st.dictionaries(st.sampled_from("abc"), inner),
            st.booleans(),
        ),
    ),
)


@given(schemas_of_values)
def test_of_any_schema_the_sample_is_good_and_every_violation_is_bad(schema: dict[str, Any]) -> None:
    schemas = Schemas(DOCUMENT)
    assert is_valid(schema, schemas.sample(schema))
    for name, value in schemas.violations(schema):
        assert not is_valid(schema, value), name


def test_a_pattern_for_which_no_word_is_at_hand_says_so() -> None:
    with pytest.raises(NoSampleError, match="example"):
        Schemas({}).sample({"type": "string", "pattern": "^ZX-[0-9]{7}-Q$"})
    assert Schemas({}).sample({"type": "string", "pattern": "^ZX$", "example": "ZX"}) == "ZX"
