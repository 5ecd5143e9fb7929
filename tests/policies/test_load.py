"""Files into objects: as kubectl reads them, whole, and nothing passed over in silence."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from garrison_policies.read.documents import documents
from garrison_policies.read.files import CheckError
from garrison_policies.read.load import Loaded, load
from garrison_policies.read.values import MAX_ALIASED, MAX_DEPTH

POD = "{apiVersion: v1, kind: Pod, metadata: {name: app}, spec: {containers: [{name: app, image: x}]}}"


def written(tmp_path: Path, content: str | bytes, name: str = "one.yaml") -> Loaded:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return load([str(path)])


def value(word: str) -> object:
    return next(documents(f"a: {word}")).body.get("a", "absent")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("yes", True),
        ("On", True),
        ("y", True),
        ("off", False),
        ('"yes"', "yes"),
        ("!!str yes", "yes"),
        ("~", "absent"),
        ("", "absent"),
        ("0644", 0o644),
        ("0o644", 0o644),
        ("08", 8.0),
        ("0x1F", 31),
        ("1_000", 1000),
        ("1e3", 1000.0),
        ("1:30", "1:30"),
        ("2026-01-01", "2026-01-01"),
    ],
)
def test_words_mean_what_kubectl_takes_them_for(word: str, meant: object) -> None:
    found = value(word)
    assert found == meant
    assert type(found) is type(meant)


@pytest.mark.parametrize(
    ("text", "bodies"),
    [
        ("a: 1\n---\n---\n# nothing\n---\nb: 2\n", [{"a": 1}, {"b": 2}]),
        ("--- # said\r\na: 1\r\n--- {b: 2}\r\n", [{"a": 1}, {"b": 2}]),
        ("%YAML 1.1\n---\na: 1\n", [{"a": 1}]),
        ('{"a": 1}\n{"b": 2}', [{"a": 1}, {"b": 2}]),
        ("{a: 1}", [{"a": 1}]),
        ('{"a":\n\t{"b": "\\ud83d\\ude00"}}', [{"a": {"b": "\U0001f600"}}]),
        ('---\n{"b": "\\ud83d\\ude00"}', [{"b": "\U0001f600"}]),
        ("on: {1: x}", [{"true": {"1": "x"}}]),
        ("x: &x {p: 1, q: 1}\nz: {<<: *x, q: 2}", [{"x": {"p": 1, "q": 1}, "z": {"p": 1, "q": 2}}]),
        ("x: |\n  a\n  --- b\n", [{"x": "a\n--- b\n"}]),
    ],
)
def test_documents(text: str, bodies: list[object]) -> None:
    found = list(documents(text))
    assert [document.problem for document in found] == [""] * len(bodies)
    assert [document.body for document in found] == bodies


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\na: 2", 2, "'a' is written twice"),
        ('{"a": 1, "a": 2}', 1, "'a' is written twice"),
        ("a: 1\nb: c: d", 2, "is not YAML"),
        ("a: &a [*a]", 1, "stands for nothing"),
        ("a: !python/object:os.system x", 1, "means nothing to Kubernetes"),
        ("x: &x {p: true}\ny: {p: false, <<: *x}", 2, "write '<<' first"),
        ("? [a]\n: b", 1, "a key is not a word"),
        ("name: {{ .Values.name }}", 1, "helm template"),
        ("a: \x00", 1, "control characters"),
        ("[" * 50_000, 1, f"more than {MAX_DEPTH} levels"),
        (
            "\n".join(["a0: &a0 [1, 1]", *(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]" for i in range(1, 9))]),
            6,
            f"{MAX_ALIASED}",
        ),
    ],
)
def test_what_cannot_be_read_one_way_is_said_with_its_line(text: str, line: int, says: str) -> None:
    found = list(documents(f"ok: 1\n---\n{text}\n---\nok: 2\n"))
    assert [document.body for document in found if not document.problem] == [{"ok": 1}, {"ok": 2}]
    (broken,) = [document for document in found if document.problem]
    assert says in broken.problem
    assert broken.line == line + 2


def test_a_key_that_is_written_twice_can_be_put_up_with() -> None:
    """As an import has to: old clients took the later value, and such manifests are deployed."""
    text = 'a: 1\n---\nb:\n  c: 1\n  c: 2\n---\n{"d": 1, "d": 2}\n'
    found = list(documents(text, lenient=True))
    assert [document.body for document in found] == [{"a": 1}, {"b": {"c": 2}}, {"d": 2}]
    assert [document.twice for document in found] == [(), ((5, "c"),), ((7, "d"),)]
    assert [bool(document.problem) for document in documents(text)] == [False, True, True]


JSON = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text("abc", min_size=1), inside, max_size=4),
    max_leaves=12,
)


class Quoting(yaml.SafeDumper):
    """Every text in quotes: PyYAML writes some bare (`N`, `1e3`) that kubectl reads as something else."""


Quoting.add_representer(str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"'))


@given(JSON)
@example("N")
@settings(max_examples=150, deadline=None)
def test_what_is_written_is_what_is_read(value: object) -> None:
    for text in (json.dumps({"it": value}), yaml.dump({"it": value}, Dumper=Quoting, allow_unicode=True)):
        assert [document.body for document in documents(text)] == [{"it": value}]


@given(st.text(st.sampled_from("ab:-{}[]&*!|>'\"#%@,?<=~01 \n\t\0\u2028"), max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_text_is_an_accident(text: str) -> None:
    for document in documents(text):
        assert document.problem or document.body is not None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    assert [item.name for item in written(tmp_path, POD.encode(encoding)).objects] == ["app"]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("{apiVersion: v1, kind: List, items: []}", []),
        ("{apiVersion: example.com/v1, kind: AllowList, metadata: {name: a}, items: [x]}", ["AllowList"]),
        ("{apiVersion: example.com/v1, kind: AllowList, metadata: {name: a}}", ["AllowList"]),
        ("{apiVersion: template.openshift.io/v1, kind: Template, objects: [" + POD + "]}", ["Pod"]),
        ("{apiVersion: example.com/v1, kind: Template, metadata: {name: a}}", ["Template"]),
    ],
)
def test_what_carries_objects_and_what_is_one(tmp_path: Path, text: str, kinds: list[str]) -> None:
    found = written(tmp_path, text)
    assert [item.kind for item in found.objects] == kinds
    assert not found.findings


def test_lists_are_what_is_in_them(tmp_path: Path) -> None:
    inner = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}}],
    }
    item = {"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a"}]}}
    pods = {"apiVersion": "v1", "kind": "PodList", "items": [item]}
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [pods, inner]})
    found = written(tmp_path, text, "list.json")
    assert [(item.kind, item.name) for item in found.objects] == [("Pod", "a"), ("Service", "b")]
    assert not found.findings


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1", "is not a Kubernetes object"),
        ("just words", "is not a Kubernetes object"),
        ("{apiVersion: v1, kind: [Pod]}", "is not a Kubernetes object"),
        ("{apiVersion: v1, kind: List, items: {a: 1}}", "items is not a list"),
        ("{apiVersion: v1, kind: List, items: [3]}", "is not a Kubernetes object"),
        (b"\xff\xfe\x00", "not text"),
        (b"a: \xe9", "not text"),
        ("{apiVersion: v1, kind: Pod, spec: [containers]}", "spec is not a mapping"),
        (POD.replace("[{name: app, image: x}]", "{name: app}"), "spec.containers is not a list of mappings"),
        ("{apiVersion: apps/v1, kind: Deployment, spec: {template: {}}}", "without a pod template"),
    ],
)
def test_what_no_rule_could_look_at_is_a_finding(tmp_path: Path, text: str | bytes, says: str) -> None:
    assert not written(tmp_path, POD).findings, "the control: a good pod is read without complaint"
    found = written(tmp_path, text)
    assert {finding.rule for finding in found.findings} == {"unreadable-document"}
    assert says in " ".join(finding.message for finding in found.findings)


def test_a_folder_is_walked_in_order(tmp_path: Path) -> None:
    for name in ("b.yaml", "a/c.yml", "a/d.json", "a/notes.txt", ".hidden/e.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            POD.replace("app}", f"{path.stem}}}") if path.suffix != ".json" else '{"apiVersion":"v1","kind":"X"}'
        )
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    found = load([str(tmp_path)])
    assert [item.file.removeprefix(f"{tmp_path}/") for item in found.objects] == ["a/c.yml", "a/d.json", "b.yaml"]
    assert not found.findings


def test_neighbours_are_passed_over_only_in_a_walk_and_only_if_they_hold_no_object(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("replicas: 2")
    (tmp_path / "values-two.yaml").write_text(POD)
    (tmp_path / "other.yaml").write_text("replicas: 2")
    found = load([str(tmp_path)])
    assert found.passed == [str(tmp_path / "values.yaml")]
    assert [item.name for item in found.objects] == ["app"]
    assert [finding.file for finding in found.findings] == [str(tmp_path / "other.yaml")]
    assert load([str(tmp_path / "values.yaml")]).findings


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(POD.encode())))
    assert [item.file for item in load(["-"]).objects] == ["-"]


def test_all_that_could_not_be_done_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n---\n")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CheckError) as caught:
        load([str(tmp_path / name) for name in ("missing.yaml", "empty.yaml", "folder")])
    lines = str(caught.value).splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == [
        "no such file or folder",
        *["holds no Kubernetes objects; nothing was checked"] * 2,
    ]


TOOL = """#!/bin/sh
case "$*" in *broken*) echo "no such base" >&2; exit 1;; esac
echo '{apiVersion: v1, kind: ConfigMap, metadata: {name: rendered}}'
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """helm and kubectl that render one object, and fail for a folder called broken."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("helm", "kubectl"):
        (folder / name).write_text(TOOL)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.mark.parametrize("marker", ["kustomization.yaml", "Chart.yaml"])
def test_a_kustomization_or_chart_is_rendered_whole(tmp_path: Path, tools: Path, marker: str) -> None:
    folder = tmp_path / "deploy"
    (folder / "templates").mkdir(parents=True)
    (folder / marker).write_text("resources: [templates/a.yaml]")
    (folder / "templates" / "a.yaml").write_text("name: {{ .Values.name }}")
    for path in (tmp_path / "deploy", folder / marker):
        found = load([str(path)])
        assert [(item.name, item.file) for item in found.objects] == [("rendered", str(folder / marker))]
        assert found.objects[0].line == 0, "the lines are those of the tool's output"
        assert not found.findings


def test_a_tool_that_fails_or_is_missing_is_never_a_pass(
    tmp_path: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    (folder / "Chart.yaml").write_text("name: broken")
    with pytest.raises(CheckError, match=r"broken/Chart.yaml: helm: no such base"):
        load([str(folder)])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CheckError, match="helm is not in PATH; install helm"):
        load([str(folder)])


def kustomization(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "kustomization.yaml").write_text(text)


def test_a_kustomization_of_flux_is_a_manifest(tmp_path: Path) -> None:
    kustomization(
        tmp_path, "clusters", "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: a}}"
    )
    (tmp_path / "clusters" / "pod.yaml").write_text(POD)
    assert {item.kind for item in load([str(tmp_path)]).objects} == {"Kustomization", "Pod"}


def test_a_component_or_library_is_left_to_those_that_include_it(tmp_path: Path) -> None:
    kustomization(
        tmp_path,
        "component",
        "{apiVersion: kustomize.config.k8s.io/v1alpha1, kind: Component, patches: [{path: patch.yaml}]}",
    )
    (tmp_path / "component" / "patch.yaml").write_text("a patch")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "Chart.yaml").write_text("{apiVersion: v2, name: lib, version: 1.0.0, type: library}")
    with pytest.raises(CheckError, match="holds no Kubernetes objects"):
        load([str(tmp_path)])
    with pytest.raises(CheckError, match="is nothing by itself"):
        load([str(tmp_path / "component" / "kustomization.yaml")])
    (tmp_path / "pod.yaml").write_text(POD)
    assert [item.name for item in load([str(tmp_path)]).objects] == ["app"]
