"""What an earlier run left is resumed or remade, on a cluster of its own with two nodes; nothing of it is a failure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from cluster import live
from cluster import live_pods as pods
from harness import cluster, docker, paths, shell

NAME = "garrison-recovery"
NAMESPACE = "recovery-probe"


@pytest.fixture(scope="module", autouse=True)
def killed() -> Iterator[None]:
    """The first attempt to make the cluster ends as soon as there is a container."""
    cluster.delete(NAME)
    making = subprocess.Popen(
        [sys.executable, "-c", f"from harness import cluster; cluster.ensure({NAME!r}, nodes=2)"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    live.eventually(lambda: docker.nodes(NAME) != [] or making.poll() is not None, "the first container")
    assert making.poll() is None, making.communicate()[1]
    os.killpg(making.pid, signal.SIGKILL)
    making.communicate()
    yield
    cluster.delete(NAME)
    assert docker.nodes(NAME) == []
    assert not (paths.state() / NAME).exists()


@pytest.fixture(autouse=True)
def looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """The helpers look at this cluster, not at the one under test elsewhere."""
    monkeypatch.setattr(live, "CLUSTER", NAME)
    monkeypatch.setattr(live, "KUBECONFIG", paths.state() / NAME / "kubeconfig")


def connected_both_ways() -> bool:
    """Whether a pod on each node reaches the pod on the other."""
    first, last = live.nodes()
    live.apply(
        pods.namespace(NAMESPACE),
        *(pods.pod(NAMESPACE, f"on-{node}", pods.ANSWERING, node) for node in (first, last)),
    )
    pods.ready(NAMESPACE)
    for here, there in ((first, last), (last, first)):
        place, target = pods.inside(NAMESPACE, f"on-{here}"), pods.address(NAMESPACE, f"on-{there}")
        live.eventually(lambda p=place, t=target: p.connect(t) == "connected", f"{here} reaches {there}")  # type: ignore[misc]
    return True


def planted() -> bool:
    """Whether the cluster still holds what was put into it when it was made."""
    told = live.kubectl("get", "configmap", "planted", "--ignore-not-found", "-o", "name")
    return told.strip() == "configmap/planted"


def test_a_half_made_cluster_is_remade_with_its_two_nodes(capsys: pytest.CaptureFixture[str]) -> None:
    made = cluster.ensure(NAME, nodes=2)
    assert made.made
    assert "interrupted" in capsys.readouterr().err
    assert made.nodes == (f"{NAME}-control-plane", f"{NAME}-worker")
    assert connected_both_ways()
    live.kubectl("create", "configmap", "planted")


def test_a_running_cluster_is_kept() -> None:
    assert not cluster.ensure(NAME, nodes=2).made
    assert planted()


def test_stopped_nodes_are_started(capsys: pytest.CaptureFixture[str]) -> None:
    shell.run(["docker", "stop", *live.nodes()], what="stop")
    assert not cluster.ensure(NAME, nodes=2).made
    assert "starting it" in capsys.readouterr().err
    assert planted()
    assert connected_both_ways()


def test_a_restarted_node_comes_back_unaided() -> None:
    worker = live.nodes()[-1]
    started = docker.nodes(NAME)
    shell.run(["docker", "restart", worker], what="restart")
    (paths.state() / NAME / "kubeconfig").unlink()  # it is asked for again
    again = docker.nodes(NAME)
    assert not cluster.ensure(NAME, nodes=2).made  # only waits
    assert docker.nodes(NAME) == again != started
    assert connected_both_ways()


def test_another_number_of_nodes_is_remade(capsys: pytest.CaptureFixture[str]) -> None:
    assert cluster.ensure(NAME, nodes=1).made
    assert "it has 2 node(s) and 1 are asked for" in capsys.readouterr().err
    assert not planted()
