"""Ignored fields, drift and the launcher: the small decisions around a write."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plugin import drift, write
from harness.plugin.errors import ApiError, KindMissing, PluginError, Unreachable
from harness.plugin.host import Host
from harness.plugin.session import Session
from harness.plugin.settings import Settings

Obj = dict[str, Any]


def live(owner: str) -> Obj:
    fields: Obj = {"f:spec": {"f:replicas": {}}}
    return {
        "metadata": {"managedFields": [{"manager": owner, "fieldsV1": fields}]},
        "spec": {"replicas": 5},
    }


@pytest.mark.parametrize(
    ("owner", "path", "expected"),
    [
        ("me", "spec.replicas", {"replicas": 5}),
        ("autoscaler", "spec.replicas", {}),
        ("me", "spec.absent", {"replicas": 1}),
        ("me", "spec.list[0]", {"replicas": 1}),
    ],
)
def test_an_ignored_field_is_kept_as_it_is_or_left_to_its_owner(owner: str, path: str, expected: Obj) -> None:
    inputs: Obj = {"spec": {"replicas": 1}}
    assert write.without_ignored(inputs, live(owner), "me", [path])["spec"] == expected
    assert inputs == {"spec": {"replicas": 1}}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("a",), {"a": "new", "list": [{"b": 1}]}),
        (("list", 1), {"list": [{"b": 1}, "new"]}),
        (("list", 0, "c"), {"list": [{"b": 1, "c": "new"}]}),
        (("x", "y"), {"list": [{"b": 1}], "x": {"y": "new"}}),
        (("list", 7, "c"), {"list": [{"b": 1}]}),
    ],
)
def test_what_was_added_is_put_beside_the_inputs(path: tuple[str | int, ...], expected: Obj) -> None:
    inputs: Obj = {"list": [{"b": 1}]}
    drift._put(inputs, path, "new")
    assert inputs == expected


POD: Obj = {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "n"}}
MISSING: Obj = {"message": 'namespaces "n" not found', "details": {"kind": "namespaces"}}


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (Unreachable("no route"), "the cluster cannot be reached (no route)"),
        (KindMissing("a/v1", "B"), "is not served yet"),
        (ApiError(404, MISSING), 'namespace "n" is not there yet'),
        (ApiError(403, {"reason": "Forbidden", "message": "no"}), "does not allow a dry run"),
        (ApiError(500, {"message": 'failed calling webhook "w": connection refused'}), "webhook"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_preview_without_the_server_says_why(problem: PluginError, said: str) -> None:
    assert said in write._offline(problem, POD)


def test_a_refusal_is_no_reason_to_preview_without_the_server() -> None:
    assert write._offline(ApiError(422, {"message": "spec: Required value"}), POD) == ""


def test_what_the_program_brings_is_known_from_its_declarations() -> None:
    session = Session(Settings(), Host())
    definition = {
        "kind": "CustomResourceDefinition",
        "spec": {"group": "a.example", "names": {"kind": "Thing"}},
    }
    session.declare({"kind": "Namespace", "metadata": {"name": "mine"}})
    session.declare(definition)
    thing = {"apiVersion": "a.example/v1", "kind": "Thing", "metadata": {}}
    assert session.brings({**POD, "metadata": {"namespace": "mine"}})
    assert session.brings(thing)
    assert not session.brings(POD)
    assert not session.brings({**thing, "apiVersion": "b.example/v1"})
