"""Identities, pruning, Secret normalisation and the shape of the state."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plugin import objects
from harness.plugin.values import Secret


@pytest.mark.parametrize(
    ("metadata", "identifier"),
    [({"name": "a", "namespace": "n"}, "n/a"), ({"name": "a"}, "a")],
)
def test_the_id_is_namespace_and_name(metadata: dict[str, str], identifier: str) -> None:
    assert objects.identity({"metadata": metadata}) == identifier
    namespace, name = objects.split_identity(identifier)
    assert (namespace, name) == (metadata.get("namespace", ""), metadata["name"])


def test_pruning_keeps_what_the_inputs_speak_of() -> None:
    live = {"spec": {"a": 1, "b": 2, "list": [{"x": 1, "y": 2}, {"x": 3}]}, "status": {}}
    shape = {"spec": {"a": 9, "list": [{"x": 9}]}, "gone": 1}
    assert objects.prune(live, shape) == {"spec": {"a": 1, "list": [{"x": 1}]}}


def test_string_data_is_compared_as_the_server_stores_it() -> None:
    secret = {"kind": "Secret", "stringData": {"a": "x"}, "data": {"b": "eQ=="}}
    assert objects.with_encoded_data(secret) == {
        "kind": "Secret",
        "data": {"a": "eA==", "b": "eQ=="},
    }
    assert objects.with_encoded_data({"kind": "Other", "stringData": {"a": "x"}}) == {
        "kind": "Other",
        "stringData": {"a": "x"},
    }


def test_a_refreshed_secret_is_written_as_the_program_writes_it() -> None:
    live = {"kind": "Secret", "data": {"a": "eA==", "other": "eQ=="}}
    inputs = {"kind": "Secret", "stringData": {"a": "old", "gone": "z"}}
    assert objects.live_inputs(live, inputs) == {"kind": "Secret", "stringData": {"a": "x"}}


def test_the_state_is_the_live_object_with_its_inputs() -> None:
    inputs: dict[str, Any] = {"kind": "Secret", "stringData": {"a": "x"}}
    live: dict[str, Any] = {"kind": "Secret", "data": {"a": "eA=="}}
    state = objects.to_state(inputs, live, inputs, "v1", "me")
    assert state["data"] == Secret({"a": "eA=="})
    assert state["__inputs"]["stringData"] == Secret({"a": "x"})
    assert (state["__fieldManager"], state["__initialApiVersion"]) == ("me", "v1")
    assert objects.from_state(state) == (inputs, live)


def test_schema_extensions_have_underscores_in_pulumi_and_dashes_on_the_server() -> None:
    given = {"schema": {"x_kubernetes_preserve_unknown_fields": True}}
    sent = objects.from_properties(given)
    assert sent == {"schema": {"x-kubernetes-preserve-unknown-fields": True}}
    assert objects.to_state(sent, sent, {}, "v1", "me")["schema"] == given["schema"]
