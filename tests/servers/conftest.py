"""What several tests on real servers share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.plugin.testing.apiserver import ControlPlane
from servers.proxies import Bench, eventually, stand

OWN = ("default", "kube-node-lease", "kube-public", "kube-system")
"""Namespaces that every API server has."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Two sidecars, one for each module of tests."""
    with stand(tmp_path_factory.mktemp("mesh")) as made:
        yield made


@pytest.fixture(scope="module")
def plane(plane: ControlPlane) -> Iterator[ControlPlane]:
    """The API server of all, on which a module finds no namespace of another one, in whatever order they run."""
    yield plane
    for space in namespaces(plane):
        plane.api.delete({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}}, "Background")
    eventually(lambda: namespaces(plane) == [], "the module's namespaces are gone", 60)


def namespaces(plane: ControlPlane) -> list[str]:
    names = [item["metadata"]["name"] for item in plane.api.list("v1", "Namespace", "")]
    return [name for name in names if name not in OWN]
