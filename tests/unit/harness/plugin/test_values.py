"""Secrets, unknowns and numbers survive the way through the protocol's structs."""

from __future__ import annotations

from harness.plugin.values import (
    UNKNOWN,
    Secret,
    decode,
    encode,
    has_secret,
    has_unknown,
    mark_secrets,
    plain,
)


def test_values_come_back_as_they_went() -> None:
    value = {"a": 1, "b": 1.5, "c": True, "d": ["x", {"e": Secret({"f": "g"})}], "h": UNKNOWN}
    assert decode(encode(value)) == value


def test_whole_numbers_are_integers_because_the_api_server_refuses_80_0() -> None:
    assert decode(encode({"port": 80.0})) == {"port": 80}
    assert isinstance(decode(encode({"port": 80.0}))["port"], int)


def test_null_fields_are_left_out() -> None:
    assert decode(encode({"a": None, "b": 1})) == {"b": 1}


def test_marks_are_found_and_taken_off_at_any_depth() -> None:
    value = {"a": [{"b": Secret("x")}], "c": Secret({"d": UNKNOWN})}
    assert has_secret(value)
    assert has_unknown(value)
    assert plain(value) == {"a": [{"b": "x"}], "c": {"d": UNKNOWN}}
    assert not has_secret(plain(value))


def test_the_data_of_a_secret_is_always_marked() -> None:
    shown = mark_secrets({"kind": "Secret", "data": {"a": "eA=="}, "type": "Opaque"}, {})
    assert shown == {"kind": "Secret", "data": Secret({"a": "eA=="}), "type": "Opaque"}


def test_secretness_is_copied_from_the_inputs_and_no_wider() -> None:
    live = {"kind": "ConfigMap", "data": {"a": "x", "b": "y"}, "list": [1, 2]}
    given = {"data": {"a": Secret("x"), "b": "y"}, "list": [Secret(1)], "gone": Secret(1)}
    assert mark_secrets(live, given) == {
        "kind": "ConfigMap",
        "data": {"a": Secret("x"), "b": "y"},
        "list": Secret([1, 2]),
    }
