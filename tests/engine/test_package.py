"""The Pulumi package: its schema, and a program in YAML that deploys an App with it, on the real engine."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.installation import REPO, environment, put
from garrison.declare.program import load
from garrison.settings import Settings
from garrison_stack.whole import Whole, whole
from harness import build
from harness.documents import blocks

PROGRAM = """
from garrison import App
from unit.estates import DIGEST, IMAGES
app = App("shop", trust_domain="shop.example", images=IMAGES)
orders = app.service("orders", image="registry.example/orders" + DIGEST, port=8080)
orders.calls(app.service("catalog", image="registry.example/catalog" + DIGEST, port=8080), "GET /items/{id}")
"""
APP = {"type": "garrison:index:App", "properties": {"app": "app.py"}}


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put(tmp_path_factory.mktemp("tools"), "pulumi-language-yaml", "helm")


class Project:
    """A program in YAML in a folder of its own."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder, self.tools = folder / "program", tools
        self.config: dict[str, Any] = {}
        self.folder.mkdir()
        (self.folder / "app.py").write_text(PROGRAM)
        self.environment = environment(folder, tools) | {
            "GARRISON_CHARTS": str(build.obtain("charts")),
            "KUBECONFIG": "/nowhere",
        }

    def pulumi(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.tools / "pulumi"), *words, "--non-interactive"]
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)

    def preview(self, resources: Mapping[str, Any], **outputs: str) -> tuple[int, set[tuple[str, str]], str]:
        """How it ended, what would be made, by type and name, and all that was said."""
        document = {
            "name": "shop",
            "runtime": "yaml",
            "config": self.config,
            "resources": resources,
            "outputs": outputs,
        }
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        self.pulumi("stack", "init", "test")
        done = self.pulumi("preview", "--color=never")
        said = done.stdout + done.stderr
        return done.returncode, {*re.findall(r"^ \+  (\S+) (\S+) create", said, re.MULTILINE)}, said


@pytest.fixture
def project(tmp_path: Path, tools: Path) -> Project:
    return Project(tmp_path, tools)


def test_the_schema_says_what_is_given_and_what_comes_of_it(project: Project, tools: Path) -> None:
    done = project.pulumi("package", "get-schema", str(tools / "pulumi-resource-garrison"))
    assert done.returncode == 0, done.stderr
    schema = json.loads(done.stdout)
    (made,) = schema["resources"].values()
    assert [*schema["resources"]] == ["garrison:index:App"]
    assert made["isComponent"]
    assert made["requiredInputs"] == ["app"]
    assert {*made["inputProperties"]} == {"app", "settings", "exceptions"}
    assert {*made["properties"]} == {"addresses", "identities", "allowed"}
    every = [made, *made["inputProperties"].values(), *made["properties"].values()]
    assert all(one["description"] for one in every)
    page = (REPO / "docs" / "languages.md").read_text()
    program = yaml.safe_load(blocks(page, "yaml")[-1])
    assert {*program["resources"]["shop"]["properties"]} <= {*made["inputProperties"]}
    assert program["outputs"] == {name: f"${{shop.{name}}}" for name in ("addresses", "allowed")}


def test_a_program_in_yaml_gets_all_that_run_makes(
    project: Project, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    settings = {"keepData": False, "generatedSecrets": ["psp/api-key"], "edgePort": 8443}
    app = {**APP, "properties": {"app": "app.py", "settings": settings}}
    code, made, text = project.preview({"shop": app}, allowed="${shop.allowed}", identities="${shop.identities}")
    assert code == 0, text
    wanted = whole(load(project.folder / "app.py"), Settings(charts=build.obtain("charts")))
    assert {(kind.rpartition(":")[2], name) for kind, name in made if kind.startswith("kubernetes:")} == _objects(
        wanted
    )
    assert {("garrison:index:App", "shop"), ("garrison:index:Estate", "shop")} <= made
    assert {name for kind, name in made if kind.endswith(":SealKey")} == {"openbao/openbao-seal-key"}
    assert {name for kind, name in made if kind.endswith(":GeneratedSecret")} == {"secret/psp/api-key"}
    outputs = text.partition("Outputs:")[2]
    assert "shop/orders may GET /items/{id} at shop/catalog" in outputs
    assert re.search(r"shop/orders *: \"spiffe://shop.example/ns/shop/sa/orders\"", outputs)


def _objects(what: Whole) -> set[tuple[str, str]]:
    items = [*what.admission, *(item for step in what.platform for item in step.items), *what.estate.manifests]
    names = ((item["kind"], item["metadata"]) for item in items)
    return {(kind, "/".join(filter(None, [meta.get("namespace"), meta["name"]]))) for kind, meta in names}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "isuer: no such setting; did you mean 'issuer'?"),
        ({"settings": {"keepData": False}}, "garrison:isuer: settings in the stack's file, and others in the program"),
    ],
    ids=["the stack's", "both"],
)
def test_settings_are_the_stacks_or_the_programs(settings: dict[str, Any], says: str, project: Project) -> None:
    project.config = {"garrison:isuer": {"value": "x"}}
    code, made, text = project.preview({"shop": {**APP, "properties": {"app": "app.py", **settings}}})
    assert code != 0
    assert says in text
    assert not {kind for kind, _ in made if kind.startswith("garrison:")}


@pytest.mark.parametrize(
    ("properties", "options", "says"),
    [
        ({"app": "app.py", "settings": {"isuer": "x"}}, {}, "isuer: no such setting; did you mean 'issuer'?"),
        ({"app": "none.py"}, {}, "none.py: no such program"),
        (
            {"app": 3, "settings": {"issuer": {"name": {"fn::secret": "x"}}}},
            {},
            "bad arguments:\n      app: 3 is no path; name a file, from the folder of Pulumi.yaml\n"
            "      settings.issuer.name: comes from another resource, or is a secret; give the value itself",
        ),
        (
            {"app": "app.py"},
            {"providers": ["${own}"]},
            "opts: a Kubernetes provider of its own, and the keys, the secret store",
        ),
    ],
    ids=["a setting", "no program", "no plain values", "a provider"],
)
def test_what_does_not_hold_is_refused_and_nothing_is_made(
    properties: dict[str, Any], options: dict[str, Any], says: str, project: Project
) -> None:
    own = {"own": {"type": "pulumi:providers:kubernetes"}} if options else {}
    code, made, text = project.preview({**own, "shop": {**APP, "properties": properties, "options": options}})
    assert code != 0
    assert says in text
    assert "Traceback" not in text and 'File "' not in text
    assert not {kind for kind, _ in made if kind.startswith(("garrison:", "kubernetes:"))}


def test_a_second_app_in_a_stack_is_told_where_it_belongs(project: Project) -> None:
    code, _, text = project.preview({name: deepcopy(APP) for name in ("shop", "bank")})
    assert code != 0
    assert re.search(r"(\w+): a second App beside (?!\1)\w+, and a stack has one; give it a project of its own", text)
    assert "Traceback" not in text and "Duplicate resource" not in text
