"""A kind cluster by name: made, resumed or remade, until it is Ready; images put into it; removed.

What the host keeps of it is one folder: kubeconfig, encryption key, audit log, and the record by which
a later run tells whether it can be kept.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import artefact, build, docker, engine, kindconfig, lock, node, paths, readiness, shell, survey, ways
from harness.errors import HarnessError
from harness.loading import load
from harness.progress import say
from harness.survey import Action, Record

__all__ = ["Cluster", "delete", "ensure", "load", "unsettled"]


@dataclass(frozen=True)
class Cluster:
    """A cluster that is Ready."""

    name: str
    kubeconfig: Path
    nodes: tuple[str, ...]
    made: bool  # by this call; what an earlier cluster of this name held is gone


def ensure(name: str, nodes: int = 1) -> Cluster:
    """The cluster `name` with so many nodes, Ready; what an earlier run left is used or replaced."""
    if nodes < 1:
        raise HarnessError(f"a cluster of {nodes} nodes cannot be made; ask for 1 or more")
    engine.ensure()
    with _held(name):
        wanted = _wanted(name, nodes)
        verdict = survey.judge(docker.nodes(name), Record.read(_record(name)), wanted)
        if verdict.action is Action.REMAKE:
            say(f"cluster {name}: {verdict.reason}; removing it and making a new one")
        elif verdict.action is Action.START:
            say(f"cluster {name}: {verdict.reason}; starting it")
        if verdict.action in (Action.KEEP, Action.START) and _resumed(name):
            return _cluster(name, made=False)
        _remove(name)  # also what is left when its containers were removed by hand
        _create(name, nodes, wanted)
        return _cluster(name, made=True)


def open_to_drills(name: str) -> None:
    """Say of the cluster that it is for tests: `garrison prove --drill` opens no other."""
    where = f"--kubeconfig={paths.state() / name / 'kubeconfig'}"
    shell.run(
        [
            build.binary("kubectl"),
            where,
            "label",
            "namespace",
            "kube-system",
            "garrison.dev/drill=allowed",
            "--overwrite",
        ],
        what=f"labelling cluster {name}",
    )


@contextmanager
def unsettled(name: str) -> Iterator[None]:
    """While nothing writes down what is on the cluster: who is killed meanwhile leaves one to be remade."""
    file = _record(name)
    kept = file.with_suffix(".unsettled")
    file.rename(kept)
    yield
    kept.rename(file)


def delete(name: str) -> None:
    """Remove the cluster and what the host keeps of it; nothing happens when there is none."""
    with _held(name):
        if engine.running():
            _remove(name)
        elif (paths.state() / name).exists():
            raise HarnessError(f"cluster {name} cannot be removed: Docker does not answer; start it first")


def _held(name: str) -> AbstractContextManager[None]:
    return lock.held(paths.state() / f"{name}.lock")


def _record(name: str) -> Path:
    return paths.state() / name / "cluster.json"


def _wanted(name: str, nodes: int) -> Record:
    configuration = _configuration(name, nodes)
    suffixes = ["control-plane", "worker", *(f"worker{n}" for n in range(2, nodes))][:nodes]
    return Record(
        fingerprint=artefact.key(node.reference(), configuration),
        checkout=str(paths.REPO),
        nodes={f"{name}-{suffix}": "" for suffix in suffixes},
    )


def _configuration(name: str, nodes: int) -> dict[str, Any]:
    return kindconfig.config(name, nodes, paths.state() / name, upstream=bool(ways.chosen().node))


def _cluster(name: str, *, made: bool) -> Cluster:
    names = tuple(found.name for found in docker.nodes(name))
    for container in names:
        docker.stays_stopped(container)  # kind makes them such that the engine starts them after it was killed
    return Cluster(name, paths.state() / name / "kubeconfig", names, made)


def _create(name: str, nodes: int, wanted: Record) -> None:
    image = node.ensure()
    state = paths.cluster_state(name)
    (state / "audit").mkdir(exist_ok=True, mode=0o700)
    _private(state / "encryption.yaml", kindconfig.encryption())
    _private(state / "kind.json", _configuration(name, nodes))
    with shell.step(f"cluster {name}: {nodes} node(s), {image}"):
        shell.run(
            [
                *(build.binary("kind"), "create", "cluster", "--name", name, "--image", image, "--retain"),
                *("--config", state / "kind.json", "--kubeconfig", state / "kubeconfig"),
            ],
            what=f"making cluster {name}",
            env=docker.kind_environment(name),
        )
    with shell.step(f"cluster {name}: waiting until it is Ready"):
        if left := readiness.wait(name):
            raise HarnessError(f"cluster {name} is not Ready after {readiness.SECONDS} s: {left}")
    Record(wanted.fingerprint, wanted.checkout, docker.addresses(name)).write(_record(name))


def _resumed(name: str) -> bool:
    """Start what is stopped and wait, if need be after a restart; False when it does not come back."""
    for container in _starting_order(name):
        verb = "unpause" if container.status == "paused" else "start"
        shell.run(["docker", verb, container.name], what=f"starting node {container.name}")
    _restore_kubeconfig(name)
    if left := readiness.wait(name):
        say(f"cluster {name}: it does not become Ready ({left}); restarting its nodes")
        for container in docker.nodes(name):
            shell.run(["docker", "restart", container.name], what=f"restarting node {container.name}")
        left = readiness.wait(name)
    if left:
        say(f"cluster {name}: it does not become Ready ({left}); removing it and making a new one")
    return not left


def _restore_kubeconfig(name: str) -> None:
    kubeconfig = paths.state() / name / "kubeconfig"
    if not kubeconfig.exists():
        shell.run(
            [build.binary("kind"), "export", "kubeconfig", "--name", name, "--kubeconfig", kubeconfig],
            what=f"reading the kubeconfig of {name}",
            env=docker.kind_environment(name),
        )


def _starting_order(name: str) -> list[survey.Node]:
    """The stopped nodes by their old addresses: Docker gives addresses in the order of starting."""
    record = Record.read(_record(name))
    known = record.nodes if record else {}

    def address(container: survey.Node) -> tuple[int, ...]:
        return tuple(int(part) for part in known.get(container.name, "").split(".") if part)

    return sorted((n for n in docker.nodes(name) if n.status != "running"), key=address)


def _remove(name: str) -> None:
    state = paths.state() / name
    for container in docker.nodes(name):
        shell.run(
            ["docker", "rm", "--force", "--volumes", container.name],
            what=f"removing node {container.name}",
        )
    docker.remove_beside(name)
    shell.succeeds(["docker", "network", "rm", name])  # none there, or others use it: both are well
    shutil.rmtree(state, ignore_errors=True)
    if state.exists():
        raise HarnessError(f"{state} cannot be removed; remove it by hand")


def _private(path: Path, content: object) -> None:
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(json.dumps(content, indent=1) + "\n")
