"""The part of docs/secret-store.md on a store of one's own is true: its commands are run, with an API server and an
OpenBao, and then the estate's objects are there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hvac
import pytest
import yaml

from garrison.cluster import Cluster
from garrison.deployment.platform.store_config import BREAK_GLASS
from garrison.deployment.vault import store
from garrison.derive.secrets import store_objects
from garrison.settings import cluster_of
from harness import build
from harness.documents import blocks
from harness.plugin.testing.apiserver import ControlPlane
from servers.bao import Bao, serving
from servers.test_store_apply import PROGRAM, estate

pytest_plugins = ["harness.plugin.testing.fixtures"]
REPO = Path(__file__).parents[2]
PAGE = (REPO / "docs" / "secret-store.md").read_text().partition("## A store of your own")[2]


@pytest.fixture(scope="module")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    with serving(tmp_path_factory.mktemp("bao")) as running:
        yield running


def described(bao: Bao, folder: Path) -> Cluster:
    """The page's own settings, with the address and the authority of the store that is here."""
    said = yaml.safe_load(blocks(PAGE, "yaml")[0])["config"]
    said |= {"garrison:storeAddress": bao.address, "garrison:storeCa": bao.ca_file, "garrison:issuer": "corporate"}
    said |= {"garrison:installCertManager": False, "garrison:installTrustManager": False}
    file = folder / "Pulumi.prod.yaml"
    file.write_text(json.dumps({"config": said}))
    return cluster_of(file)


def test_its_commands_set_up_a_store_that_the_estate_can_use(plane: ControlPlane, bao: Bao, tmp_path: Path) -> None:
    launcher = tmp_path / "bin" / "garrison"
    launcher.parent.mkdir()
    launcher.write_text(f'#!/bin/sh\nexec {sys.executable} -m garrison "$@"\n')
    launcher.chmod(0o755)
    tools = [launcher.parent, build.binary("kubectl").parent, build.binary("bao").parent]
    env = {
        "PATH": ":".join([*map(str, tools), os.defpath]),
        "PYTHONPATH": ":".join(str(REPO / name) for name in ("components", "policies", "services", "tests")),
        "KUBECONFIG": str(plane.kubeconfig),
        "HOME": str(tmp_path),
    }
    keeper = bao.user(BREAK_GLASS)
    granting = {"BAO_ADDR": bao.address, "BAO_CACERT": bao.ca_file, "BAO_TOKEN": keeper.token}

    def shell(script: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", "-euo", "pipefail", "-c", script]
        return subprocess.run(command, cwd=tmp_path, env={**env, **more}, capture_output=True, text=True, check=False)

    cluster = described(bao, tmp_path)
    (tmp_path / "app.py").write_text(PROGRAM.format(readers=("orders",)))
    objects = list(store_objects(estate(("orders",)).graph(), cluster.store))
    render = shell("garrison render --app app.py --cluster Pulumi.prod.yaml -o out")
    assert render.returncode == 0, render.stderr
    accounts, once, granted = blocks(PAGE, "sh")
    for script, more in ((accounts, {}), (once, granting)):
        done = shell(script, **more)
        assert done.returncode == 0, done.stderr
    before = shell("garrison store apply out/store.json --wait 0")
    assert before.returncode == 2
    assert "openbao/garrison-admin has no role prod.garrison-admin there" in before.stderr, "the control"
    done = shell(granted, **granting, BAO_NAMESPACE="team-a")
    assert done.returncode == 0, done.stderr
    after = shell("garrison store apply out/store.json --wait 0")
    assert after.returncode == 0, after.stderr
    assert "2 objects written" in after.stdout
    inside = hvac.Client(url=bao.address, verify=bao.ca_file, token=keeper.token, namespace="team-a")
    assert all(store.read(inside, one.path, one.body) == dict(one.body) for one in objects)
    assert not (tmp_path / "reviewer.jwt").exists()
    entered = shell("kubectl create serviceaccount orders -n default && kubectl create token orders --audience openbao")
    with pytest.raises(hvac.exceptions.Forbidden):  # of another namespace than the graph's
        token = entered.stdout.split()[-1]
        inside.auth.kubernetes.login(role="prod.shop.orders", jwt=token, mount_point="k8s/prod")
    made = shell(
        "kubectl create namespace shop && kubectl create serviceaccount orders -n shop"
        " && kubectl create token orders -n shop --audience openbao"
    )
    token = made.stdout.split()[-1]
    session = inside.auth.kubernetes.login(role="prod.shop.orders", jwt=token, mount_point="k8s/prod", use_token=False)
    assert session["auth"]["policies"] == ["prod.shop.orders"]
