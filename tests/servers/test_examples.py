"""What is derived for the public applications, before its judges: a real API server takes each object, and Envoy each
sidecar's configuration.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import urllib3

from examples.tables import APPS, awaited, graph
from garrison import render
from garrison.cluster import Cluster
from garrison.derive import mesh
from harness.build import binary
from harness.plugin.testing.apiserver import ControlPlane
from servers import certmanager

pytest_plugins = ["harness.plugin.testing.fixtures"]
Json = dict[str, Any]


@pytest.fixture(scope="module")
def server(plane: ControlPlane) -> ControlPlane:
    """A server with the namespaces of all: a dry run in one that is not there is refused whatever it says."""
    certmanager.install(plane)
    ready = [item for app in APPS if not awaited(app) for item in render(graph(app))]
    spaces = {item["metadata"]["name"]: item for item in ready if item["kind"] == "Namespace"}
    for item in spaces.values():
        plane.api.apply(item, "test")
    return plane


def refused(plane: ControlPlane, item: Json) -> str:
    """What the server says against a new object, of which nothing may be unknown to it; nothing is stored."""
    path = plane.api.resource(item).path(item["metadata"].get("namespace", ""))
    answer = plane.api.client._pool.request(
        "POST",
        f"{path}?dryRun=All&fieldValidation=Strict",
        json=item,
        headers=plane.api.client._headers,
        retries=urllib3.Retry(total=2),
    )
    return "" if answer.status == 201 else f"{item['kind']} {item['metadata']['name']}: {answer.json()['message']}"


@pytest.mark.parametrize("app", APPS)
def test_the_api_server_takes_every_object(server: ControlPlane, app: str) -> None:
    manifests = [item for item in render(graph(app)) if item["kind"] != "Namespace"]
    assert [text for item in manifests if (text := refused(server, item))] == []
    broken = next(item for item in manifests if item["kind"] == "Deployment")
    broken["spec"]["template"]["spec"]["containers"][0]["portz"] = []
    assert "unknown field" in refused(server, broken), "the control: the server looks at what it is given"


@pytest.mark.parametrize("app", APPS)
def test_envoy_takes_every_sidecar(app: str, tmp_path: Path) -> None:
    its = graph(app)
    for service in its.services:
        for file, text in mesh.config(its, Cluster(), service).items():
            (tmp_path / file).write_text(text.replace("/etc/envoy", str(tmp_path)))
        command = [binary("envoy"), "--mode", "validate", "-c", tmp_path / "envoy.json", "--log-level", "error"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{service.ref}: {done.stderr[-500:]}"
