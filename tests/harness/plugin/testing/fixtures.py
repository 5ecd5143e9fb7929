"""Pytest fixtures of the plugin's engine tests: one control plane for all, one stack for each."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.plugin.__main__ import serve
from harness.plugin.testing.apiserver import ControlPlane, control_plane
from harness.plugin.testing.stack import Make, Stack, Tools


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real API server with its controllers."""
    with control_plane(tmp_path_factory.mktemp("plane")) as running:
        yield running


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """The engine with the plugin under test."""
    return Tools(tmp_path_factory.mktemp("tools"))


@pytest.fixture(scope="session")
def plugin() -> Iterator[int]:
    """The port of a plugin that serves in this process."""
    server, port = serve("")
    yield port
    server.stop(grace=None)


@pytest.fixture
def stack(plane: ControlPlane, tools: Tools, plugin: int, tmp_path: Path) -> Iterator[Stack]:
    """A stack on that server; what it leaves behind is destroyed."""
    made = Stack(tools, tmp_path / "stack", {"KUBECONFIG": str(plane.kubeconfig)}, port=plugin)
    yield made
    if made.resources():
        made.destroy()


@pytest.fixture
def namespace(plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own."""
    spoken = request.node.originalname.removeprefix("test_").replace("_", "-")
    name = f"{spoken[:50].rstrip('-')}-{secrets.token_hex(3)}"
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    plane.api.apply(obj, "test")
    yield name
    plane.api.delete(obj, "Background")


@pytest.fixture
def make_stack(plane: ControlPlane, tools: Tools, tmp_path: Path) -> Make:
    """Stacks with an environment of the test's choice and the plugin found in PATH.

    The test destroys them itself.
    """

    def make(**environment: str) -> Stack:
        folder = tmp_path / f"stack-{len(list(tmp_path.iterdir()))}"
        return Stack(tools, folder, {"KUBECONFIG": str(plane.kubeconfig), **environment})

    return make
