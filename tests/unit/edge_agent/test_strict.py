"""JSON with one reading: what two parsers could read differently is refused, everything else is read as it is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison_edge import strict

NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES, st.booleans())
def test_plain_json_is_read_as_it_is(value: object, escaped: bool) -> None:
    text = json.dumps(value, ensure_ascii=escaped)
    assert strict.loads(text.encode(errors="surrogatepass")) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"1 2", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b"\xef\xbb\xbf1", "not JSON"),
        (b'"\xff"', "UTF-8"),
        (b'"\xed\xa0\x80"', "UTF-8"),
        (b'"a\nb"', "not JSON"),
        (b'{"a": 1, "a": 1}', "twice"),
        (b'[{"b": {"a": 1, "\\u0061": 2}}]', "twice"),
        (b"NaN", "does not know"),
        (b"[Infinity]", "does not know"),
        (b"-Infinity", "does not know"),
        (b"1e400", "too large"),
        (b"-1E+999", "too large"),
        (b"9" * 5000, "not JSON"),
        (b'"\\ud800"', "half a character"),
        (b'{"\\udfff": 1}', "half a character"),
        (b'["\\ud83d x \\ude00"]', "half a character"),
        (b"[" * 65 + b"]" * 65, "64 levels"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "64 levels"),
        (b"[" * 5000 + b"]" * 5000, "64 levels"),
        (b"[" * 5000, "64 levels"),
    ],
)
def test_what_has_no_or_two_readings_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(strict.Malformed, match=why):
        strict.loads(text)


@pytest.mark.parametrize(
    "text", [b"[" * 64 + b"]" * 64, b"[" + b"[]," * 500 + b"[]]", b'"\\ud83d\\ude00"', b'"[[["' * 1]
)
def test_what_is_near_to_it_is_not(text: bytes) -> None:
    assert strict.loads(text) == json.loads(text)


@given(st.binary(max_size=200))
def test_no_bytes_are_anything_else_than_read_or_refused(text: bytes) -> None:
    try:
        value = strict.loads(text)
    except strict.Malformed:
        return
    assert value == json.loads(text)
