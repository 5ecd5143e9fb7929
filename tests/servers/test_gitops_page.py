"""docs/gitops.md is true: its commands are run in their order, with git, kubectl, an API server and an OpenBao."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from garrison.deployment.platform.store_config import ADMIN, BREAK_GLASS
from garrison.settings import settings_of
from harness import build
from harness.documents import blocks
from harness.plugin.errors import ApiError
from harness.plugin.testing.apiserver import ControlPlane
from servers.bao import Bao, serving
from servers.proxies import eventually
from servers.test_store_apply import PROGRAM, lacks

pytest_plugins = ["harness.plugin.testing.fixtures"]
REPO = Path(__file__).parents[2]
PAGE = (REPO / "docs" / "gitops.md").read_text()
(UPGRADE,) = blocks((REPO / "docs" / "upgrade.md").read_text(), "sh gitops")


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with serving(tmp_path_factory.mktemp("bao")) as running:
        yield running


@pytest.fixture
def shell(plane: ControlPlane, bao: Bao, tmp_path: Path) -> Any:
    """A repository with a program and its settings, and a shell in it that has the tools."""
    launcher = tmp_path / "bin" / "garrison"
    launcher.parent.mkdir()
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -m garrison "$@"\n')
    launcher.chmod(0o755)
    place = tmp_path / "repository"
    place.mkdir()
    settings = {"installCertManager": False, "installTrustManager": False, "issuer": "corporate"}
    settings |= {"installOpenbao": False, "openbaoAddress": bao.address, "openbaoCa": bao.ca_file}
    (place / "Pulumi.prod.yaml").write_text(
        yaml.safe_dump({"config": {f"garrison:{key}": value for key, value in settings.items()}})
    )
    env = {
        "PATH": f"{launcher.parent}:{build.binary('kubectl').parent}:{os.defpath}",
        "PYTHONPATH": ":".join(str(REPO / name) for name in ("components", "policies", "services", "tests")),
        "KUBECONFIG": str(plane.kubeconfig),
        "BAO_TOKEN": bao.user(ADMIN).token,
        "HOME": str(tmp_path),
        **{f"GIT_{who}_{what}": "test@estate.example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }

    def run(script: str) -> str:
        done = subprocess.run(
            ["bash", "-euxc", script], cwd=place, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("git init --quiet .")
    return run


def test_its_commands_run_in_their_order(shell: Any, bao: Bao, plane: ControlPlane, tmp_path: Path) -> None:
    first, change, flux = blocks(PAGE, "sh")
    program, breaker = tmp_path / "repository" / "estate.py", bao.user(BREAK_GLASS)
    program.write_text(PROGRAM.format(readers=("orders", "claims")))
    assert len(lacks(breaker, "orders", "claims")) == 4, "the control"
    said = shell(first)
    assert lacks(breaker, "orders", "claims") == []
    assert "openbao/openbao: 4 objects written" in said
    program.write_text(PROGRAM.format(readers=("orders",)))
    assert "sys/policies/acl/shop.claims taken away" in shell(change)
    assert lacks(breaker, "orders") == []
    assert len(lacks(breaker, "orders", "claims")) == 2
    program.write_text(PROGRAM.format(readers=("orders", "claims")))
    shell(UPGRADE)
    assert lacks(breaker, "orders", "claims") == [], "docs/upgrade.md: what is deployed is what the new render says"
    _flux_is_there(plane, tmp_path)
    applied = shell(flux).splitlines()
    assert len(applied) == len(list(yaml.safe_load_all((tmp_path / "repository/deploy/flux.yaml").read_text())))
    assert all(line.endswith(" created") for line in applied)


def _flux_is_there(plane: ControlPlane, home: Path) -> None:
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flux-system"}}, "test")
    _kinds_are_there(plane, home, build.obtain("flux") / "kustomizations")


def _kinds_are_there(plane: ControlPlane, home: Path, folder: Path) -> None:
    """The kinds as the controller's makers define them."""
    for kind in (yaml.safe_load(file.read_text()) for file in folder.glob("*.yaml")):
        if kind["kind"] == "CustomResourceDefinition":
            plane.api.apply(kind, "test")
    command = ["kubectl", "wait", "--for=condition=Established", "crd", "--all"]
    tools = str(build.binary("kubectl").parent)
    env = {"PATH": tools, "KUBECONFIG": str(plane.kubeconfig), "HOME": str(home)}  # kubectl keeps a cache there
    eventually(lambda: subprocess.run(command, env=env, capture_output=True, check=False).returncode == 0, "the kinds")


def test_its_settings_are_accepted(tmp_path: Path) -> None:
    (settings,) = (yaml.safe_load(text) for text in blocks(PAGE, "yaml"))
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(settings))
    found = settings_of(tmp_path / "x.yaml", {"GARRISON_CHARTS": str(build.obtain("charts"))})
    assert "user:system:serviceaccount:flux-system:kustomize-controller" in found.deployers


def test_its_application_is_one(plane: ControlPlane, tmp_path: Path) -> None:
    (application,) = (yaml.safe_load(text) for text in blocks(PAGE, "yaml argocd"))
    _kinds_are_there(plane, tmp_path, build.obtain("argocd") / "argocd-kinds")
    plane.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}, "test")
    with pytest.raises(ApiError, match="spec.destination"):
        wrong = {key: value for key, value in application["spec"].items() if key != "destination"}
        plane.api.apply({**application, "spec": wrong}, "test")
    plane.api.apply(application, "test")
