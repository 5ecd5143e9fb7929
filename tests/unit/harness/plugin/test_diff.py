"""The diff and the table of fixed fields, against the cases the official plugin documents."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plugin import diff
from harness.plugin.replace import fixed_fields
from harness.plugin.settings import Settings
from harness.plugin.values import UNKNOWN

Obj = dict[str, Any]
MUTABLE = Settings(config_map_mutable=True, secret_mutable=True)
STRICT = Settings()


def pod(**container: Any) -> Obj:
    return {"spec": {"containers": [{"name": "nginx", **container}]}}


def storage(size: str) -> Obj:
    return {"spec": {"resources": {"requests": {"storage": size}}}}


def keyed(value: str, **fields: Any) -> Obj:
    return {"data": {"key": value}, **fields}


# kind, old, new, settings, the expected changes ("!" for one that replaces)
CASES: list[tuple[str, Obj, Obj, Settings, dict[str, str]]] = [
    ("v1 PersistentVolumeClaim", {"spec": {}}, {"spec": {"accessModes": {}}}, STRICT,
     {"spec.accessModes": "add!"}),
    ("v1 PersistentVolumeClaim", {"spec": {"accessModes": {}}}, {"spec": {}}, STRICT,
     {"spec.accessModes": "delete!"}),
    ("v1 PersistentVolumeClaim", storage("10Gi"), storage("20Gi"), STRICT,
     {"spec.resources.requests.storage": "update"}),
    ("v1 Pod", pod(image="nginx"), pod(image="nginx:1.15"), STRICT,
     {"spec.containers[0].image": "update!"}),
    ("v1 Pod", pod(image="a", dnsPolicy="Default"), pod(image="b", dnsPolicy="None"), STRICT,
     {"spec.containers[0].dnsPolicy": "update", "spec.containers[0].image": "update!"}),
    ("v1 Pod", pod(dnsPolicy="Default"), pod(), STRICT, {"spec.containers[0].dnsPolicy": "delete"}),
    ("v1 Pod", pod(image="nginx"), pod(image=UNKNOWN), STRICT,
     {"spec.containers[0].image": "update!"}),
    ("v1 Pod", pod(), pod(image=UNKNOWN), STRICT, {"spec.containers[0].image": "add!"}),
    ("v1 Pod", {"spec": {"containers": []}}, {"spec": {"containers": [UNKNOWN]}}, STRICT,
     {"spec.containers[0]": "add"}),
    ("v1 Pod", pod(), {"spec": {"containers": [UNKNOWN]}}, STRICT,
     {"spec.containers[0]": "update"}),
    ("v1 Pod", pod(), {"spec": {"containers": []}}, STRICT, {"spec.containers[0]": "delete"}),
    ("v1 ConfigMap", keyed("3"), keyed("4"), MUTABLE, {"data.key": "update"}),
    ("v1 ConfigMap", keyed("3"), keyed("4"), STRICT, {"data.key": "update!"}),
    ("v1 ConfigMap", keyed("3", immutable=True), keyed("4", immutable=True), MUTABLE,
     {"data.key": "update!"}),
    ("v1 Secret", keyed("3"), keyed("4"), MUTABLE, {"data.key": "update"}),
    ("v1 Secret", keyed("3"), keyed("4"), STRICT, {"data.key": "update!"}),
    ("v1 Secret", {"type": "a"}, {"type": "Opaque"}, MUTABLE, {"type": "update!"}),
    ("v1 Secret", keyed("3", immutable=True), keyed("4", immutable=True), MUTABLE,
     {"data.key": "update!"}),
    ("apps/v1 Deployment", {"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}, STRICT,
     {"spec.replicas": "update"}),
    ("apps/v1 Deployment", {"spec": {"selector": {"matchLabels": {"a": "b"}}}},
     {"spec": {"selector": {"matchLabels": {"a": "c"}}}}, STRICT,
     {"spec.selector.matchLabels.a": "update!"}),
    ("batch/v1 Job", {"spec": {"template": pod()}}, {"spec": {"template": pod(image="x")}}, STRICT,
     {"spec.template.spec.containers[0].image": "add!"}),
    ("tekton.dev/v1 Pipeline", {"taskSpec": {"spec": None, "steps": [{"name": "a"}]}},
     {"taskSpec": {"steps": [{"name": "b"}]}}, STRICT,
     {"taskSpec.spec": "delete", "taskSpec.steps[0].name": "update"}),
    ("v1 ConfigMap", {"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}, MUTABLE,
     {"metadata.name": "update!"}),
    ("v1 Namespace", {"metadata": {"labels": {"a": "b"}}}, {"metadata": {"labels": {"a": "c"}}},
     STRICT, {"metadata.labels.a": "update"}),
    ("v1 Pod", pod(image="nginx"), pod(image="nginx"), STRICT, {}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "old", "new", "settings", "expected"), CASES)
def test_a_change_is_planned_as_the_official_plugin_plans_it(
    kind: str, old: Obj, new: Obj, settings: Settings, expected: dict[str, str]
) -> None:
    api_version, name = kind.split()
    fixed = fixed_fields({"apiVersion": api_version, "kind": name, **new}, settings)
    found = {
        diff.shown(path): change + ("!" if diff.is_fixed(path, fixed) else "")
        for path, change in diff.entries(old, new).items()
    }
    assert found == expected


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("spec", "containers", 0, "image"), "spec.containers[0].image"),
        (("data", "a.b"), 'data["a.b"]'),
        (("data", 'say "x"'), 'data["say \\"x\\""]'),
    ],
)
def test_paths_are_written_and_read_in_pulumis_notation(path: diff.Path, text: str) -> None:
    assert diff.shown(path) == text
    assert diff.parsed(text) == path


@pytest.mark.parametrize(
    ("pattern", "ignored"),
    [
        ("spec", True),
        ("spec.containers[0]", True),
        ("spec.containers[*].image", True),
        ("spec.containers[1].image", False),
        ("spec.containers[0].image.tag", False),
        ("metadata", False),
    ],
)
def test_ignore_changes_covers_a_path_and_all_below_it(pattern: str, ignored: bool) -> None:
    assert diff.ignored(("spec", "containers", 0, "image"), [diff.parsed(pattern)]) is ignored


def test_a_refusal_is_matched_to_the_change_it_speaks_of() -> None:
    changes: list[diff.Path] = [("spec", "controller"), ("metadata", "labels", "a")]
    assert diff.matching(changes, "spec.controller") == [("spec", "controller")]
    assert diff.matching(changes, "spec") == [("spec", "controller")]
    assert diff.matching(changes, "") == [("spec", "controller")]


def test_a_boolean_is_not_a_number() -> None:
    assert diff.entries({"a": True}, {"a": 1}) == {("a",): "update"}
    assert diff.entries({"a": 1}, {"a": 1.0}) == {}
