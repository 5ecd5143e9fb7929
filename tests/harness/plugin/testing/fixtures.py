"""Pytest fixtures of the plugin's engine tests: one control plane for all, one stack for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness.plugin.testing.apiserver import ControlPlane, control_plane
from harness.plugin.testing.stack import Stack


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real API server with its controllers."""
    with control_plane(tmp_path_factory.mktemp("plane")) as running:
        yield running


@pytest.fixture
def stack(plane: ControlPlane, tmp_path: Path) -> Iterator[Stack]:
    """A stack on that server; what it leaves behind is destroyed."""
    made = Stack(tmp_path / "stack", plane.kubeconfig)
    yield made
    made.destroy()


@pytest.fixture
def namespace(plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own."""
    name = request.node.name.replace("_", "-").split("[")[0][:63].rstrip("-")
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    plane.api.apply(obj, "test")
    yield name
    plane.api.delete(obj, "Background")


Make = Callable[..., Stack]


@pytest.fixture
def make_stack(plane: ControlPlane, tmp_path: Path) -> Make:
    """Stacks with an environment of the test's choice; the test destroys them itself."""

    def make(**environment: str) -> Stack:
        kubeconfig = environment.pop("KUBECONFIG", str(plane.kubeconfig))
        return Stack(tmp_path / f"stack-{len(list(tmp_path.iterdir()))}", kubeconfig, **environment)

    return make
