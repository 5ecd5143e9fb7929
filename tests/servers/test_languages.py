"""docs/languages.md is true: one App from a program in TypeScript, then in YAML, on an API server, by its commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.installation import REPO, environment, put
from engine.test_package import PROGRAM
from garrison.declare.program import load
from garrison.deployment.platform import certificates, charts
from garrison.settings import settings_of
from garrison_stack.whole import Whole, whole
from harness import build
from harness.paths import NPM_FOLDER
from harness.plugin.testing.apiserver import ControlPlane
from plugin.test_await import MERGE, report, running
from servers import certmanager
from servers.test_guard import RBAC, obj
from unit.authority import Authority

pytest_plugins = ["harness.plugin.testing.fixtures"]
PAGE = (REPO / "docs" / "languages.md").read_text()
CERTIFICATES, BUNDLES = "cert-manager.io/v1", "trust.cert-manager.io/v1alpha1"
QUIET = {f"npm_config_{name}": "false" for name in ("audit", "fund", "update_notifier")}


def block(language: str, number: int = 0) -> str:
    return [*re.finditer(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)][number][1]


@dataclass
class Project:
    """A project of somebody's, in a shell that has Pulumi, Node.js and the package, and no network."""

    folder: Path
    shell: dict[str, str]

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def run(self, script: str) -> tuple[int, str]:
        command = ["bash", "-euc", script]
        done = subprocess.run(command, cwd=self.folder, env=self.shell, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def done(self, script: str) -> str:
        code, said = self.run(script)
        assert code == 0, said
        return said


@contextmanager
def reported(plane: ControlPlane) -> Iterator[None]:
    """What a kubelet and cert-manager would say: every pod and certificate is ready."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.2):
            for pod in plane.api.list("v1", "Pod", ""):
                if pod.get("status", {}).get("phase") == "Pending":
                    report(plane, pod, running())
            for one in plane.api.list(CERTIFICATES, "Certificate", ""):
                if not one.get("status", {}).get("conditions"):
                    _ready(plane, {**one, "apiVersion": CERTIFICATES, "kind": "Certificate"})

    thread = threading.Thread(target=work)
    thread.start()
    yield
    stop.set()
    thread.join()


def _ready(plane: ControlPlane, item: dict[str, Any]) -> None:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1}
    plane.api.client.patch(f"{plane.api.path(item)}/status", {"status": {"conditions": [ready]}}, MERGE, {})


@pytest.fixture(scope="module")
def company(plane: ControlPlane) -> Iterator[ControlPlane]:
    """A cluster with cert-manager, an issuer that it may use, and trust-manager's kinds."""
    certmanager.install(plane)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{build.binary('helm').parent}:/usr/bin:/bin")
        rendered = charts.render(certificates.TRUST_MANAGER, build.obtain("charts"))
    kinds = [item for item in rendered if item["kind"] == "CustomResourceDefinition"]
    issuer = obj(CERTIFICATES, "ClusterIssuer", "", "company", spec={"selfSigned": {}})
    rule = {"apiGroups": ["cert-manager.io"], "resources": ["signers"], "verbs": ["approve"]}
    rule["resourceNames"] = ["clusterissuers.cert-manager.io/*"]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "company-approver"}
    account = {"kind": "ServiceAccount", "name": "cert-manager", "namespace": "cert-manager"}
    approver = [
        obj(RBAC, "ClusterRole", "", "company-approver", rules=[rule]),
        obj(RBAC, "ClusterRoleBinding", "", "company-approver", roleRef=role, subjects=[account]),
    ]
    for bundle in plane.api.list(BUNDLES, "Bundle", ""):  # another module's
        plane.api.delete({**bundle, "apiVersion": BUNDLES, "kind": "Bundle"}, "Background")
    for item in (*kinds, issuer, *approver):
        plane.api.apply(item, "test")
    _ready(plane, issuer)
    with reported(plane), pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(plane.kubeconfig))  # for the plugin, which serves in this process
        yield plane
    for item in (*kinds, issuer, *approver):
        plane.api.delete(item, "Background")


@pytest.fixture(scope="module")
def project(company: ControlPlane, plugin: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """As after `npm ci`: Pulumi's SDK and the compiler are installed, and nothing of ours is."""
    home = tmp_path_factory.mktemp("home")
    tools = put(
        tmp_path_factory.mktemp("tools"), *(f"pulumi-language-{name}" for name in ("nodejs", "yaml")), "kubectl"
    )
    shell = {**environment(home, tools), **QUIET, "npm_config_offline": "true", "KUBECONFIG": str(company.kubeconfig)}
    shell["PULUMI_DEBUG_PROVIDERS"] = f"kubernetes:{plugin}"
    shell["GARRISON_CHARTS"] = str(build.obtain("charts"))
    folder = home / "program"
    shutil.copytree(build.obtain("pulumi-nodejs") / "pulumi-nodejs", folder / "node_modules", symlinks=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(NPM_FOLDER / "pulumi-nodejs" / name, folder)
    made = Project(folder, shell)
    made.write("app.py", PROGRAM)
    made.write("ca.pem", Authority.fresh("a company's root").pem)
    settings: dict[str, Any] = {"installCertManager": False, "installTrustManager": False, "issuer": "company"}
    settings |= {"trustCa": str(folder / "ca.pem"), "installOpenbao": False, "deployers": ["user:admin"]}
    settings |= {"keepData": False}
    made.write("Pulumi.test.yaml", yaml.safe_dump({"config": {f"garrison:{k}": v for k, v in settings.items()}}))
    yield made
    for item in _whole(made).admission:  # the rest goes with its namespaces
        company.api.delete(item, "Background")


def test_a_program_in_typescript_deploys_with_the_sdk_of_the_package(project: Project, company: ControlPlane) -> None:
    project.write("Pulumi.yaml", block("yaml"))
    project.write("index.ts", block("ts").replace("app:", "ap:"))
    compiler = {"target": "es2022", "module": "nodenext", "moduleResolution": "nodenext", "strict": True}
    project.write("tsconfig.json", json.dumps({"compilerOptions": compiler}))
    assert 'import * as garrison from "@pulumi/garrison";' in project.done(block("sh"))
    project.done("pulumi stack init test")
    code, said = project.run("pulumi up --yes --skip-preview --color=never")
    assert code != 0
    assert "index.ts" in said and "'ap' does not exist in type 'AppArgs'" in said, "the compiler refuses"
    project.write("index.ts", block("ts"))
    said = project.done("pulumi up --yes --skip-preview --color=never")
    assert "shop/orders may GET /items/{id} at shop/catalog" in said.partition("Outputs:")[2]
    assert [item for item in _everything(project) if company.api.find(item) is None] == []


def test_the_program_goes_on_in_yaml_and_changes_what_is_declared(project: Project, company: ControlPlane) -> None:
    (proxy,) = (item for item in _everything(project) if item["metadata"]["name"] == "catalog-proxy")
    before = company.api.get(proxy)
    project.write("Pulumi.yaml", block("yaml", 1))
    project.write("app.py", PROGRAM.replace('"GET /items/{id}"', '"GET /items/{id}", "DELETE /items/{id}"'))
    said = project.done("pulumi up --yes --skip-preview --color=never")
    assert "shop/orders may DELETE /items/{id} at shop/catalog" in said.partition("Outputs:")[2]
    steps = said.partition("Resources:")[2]
    assert re.search(r"~ \d+ updated", steps)
    assert not re.search(r"created|deleted|replaced", steps), "an App in another language is the same one"
    after = company.api.get(proxy)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert "DELETE" in str(after["data"]) and "DELETE" not in str(before["data"])


def _everything(project: Project) -> list[dict[str, Any]]:
    what = _whole(project)
    return [*what.admission, *(item for step in what.platform for item in step.items), *what.estate.manifests]


def _whole(project: Project) -> Whole:
    settings = settings_of(project.folder / "Pulumi.test.yaml", {"GARRISON_CHARTS": project.shell["GARRISON_CHARTS"]})
    return whole(load(project.folder / "app.py"), settings)
