"""From nothing to a running cluster with everything loaded, and to a proven estate on it.

Each step looks first and does only what is missing, so that an interrupted run goes on where it
stopped and a second one finds nothing to do.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from harness import build, engine, environment, limits, lock, paths, provider, shell, signing, stack, ways
from harness.errors import HarnessError
from harness.parts import UP, Part
from harness.progress import clock, say

T = TypeVar("T")
ENDING = 60.0  # seconds for a daemon to end its containers
NEXT = """what to do next:
  make order         an order placed in it, and the calls it took
  source {}
                     then by hand: garrison graph, kubectl get pods -A, pulumi preview
  make down          removes the cluster; make clean says what the caches hold"""
_INPUTS = (
    "components",
    "docs/openapi",
    "policies",
    "services",
    "stacks",
    "tests/harness",
    "Pulumi.yaml",
    "scan.toml",
    "requirements.lock",
)


def prepare(cluster: str, nodes: int = 1, parts: Iterable[Part] = UP) -> None:
    """Everything below the stack: Docker engine, toolchain (`parts` of it), images, cluster, loaded images."""
    from harness import cluster as clusters
    from harness import images, platform_images, visit

    way = ways.chosen()
    with lock.held(paths.state() / "up.lock"):
        _timed("Docker engine", engine.ensure)
        limits.ensure()
        _timed("toolchain", lambda: build.obtain_all(way.needed(parts)))
        if not way.node:
            _timed("packages", platform_images.settle)
        ours = _timed("images", images.service_images)
        _timed("signatures", lambda: signing.sign(ours))
        outside = images.of("provider", ours)
        wanted = [image for image in ours if image != outside]
        wanted += _timed("platform images", platform_images.platform_images)
        _timed(f"cluster {cluster}", lambda: clusters.ensure(cluster, nodes=nodes))
        clusters.open_to_drills(cluster)
        signing.verify(ours)  # refuses before anything is loaded or deployed
        _timed("images in the cluster", lambda: clusters.load(cluster, wanted))
        _timed("the outside", lambda: provider.ensure(cluster, visit.declared(), outside))
        environment.write(cluster)


def deploy(cluster: str) -> None:
    """The stack on the prepared cluster; whom it calls outside knows it then."""
    _timed("pulumi up", lambda: stack.up(cluster))
    _introduced(cluster)


def _introduced(cluster: str) -> None:
    """The provider knows the key that is good now."""
    from harness import visit

    provider.introduce(cluster, visit.declared(), environment.full(cluster))


def up(cluster: str, nodes: int) -> int:
    """The running, proven estate; says so when it is already there."""
    start, record = time.monotonic(), paths.cluster_state(cluster) / "up.json"
    inputs = fingerprint(nodes)
    if _recorded(record) == inputs and _untouched(cluster):
        _introduced(cluster)
        say(f"{cluster} is up and nothing has changed: nothing to do ({clock(time.monotonic() - start)})")
        return 0
    record.unlink(missing_ok=True)
    prepare(cluster, nodes)
    deploy(cluster)
    code = prove(cluster, [])
    if code == 0:
        _shown(cluster)
        record.write_text(json.dumps(inputs))
        stack.select(cluster)
        say(f"{cluster} is up and proven after {clock(time.monotonic() - start)}")
        say(NEXT.format(environment.write(cluster)))
    return code


def _shown(cluster: str) -> None:
    """How the estate is seen from outside; it knows the program, which not every verb has to load."""
    from harness import visit

    visit.show(cluster)


def prove(cluster: str, arguments: Iterable[str]) -> int:
    """Run the probes on `cluster` and return their exit code; their output is all there is."""
    known = f"--cluster={stack.settings(cluster)}"  # at which port its edge is
    command = [sys.executable, "-m", "garrison", "prove", known, *arguments]
    return subprocess.run(command, env=environment.full(cluster), check=False).returncode


def down(names: Iterable[str]) -> None:
    """Remove the clusters and their state, and stop what was started for them; keep the cache."""
    from harness import cluster as clusters

    with lock.held(paths.state() / "up.lock"):
        for name in names:
            known = (paths.state() / name).exists()
            if engine.running():
                clusters.delete(name)
            shutil.rmtree(paths.state() / name, ignore_errors=True)
            say(f"{name}: removed" if known else f"{name}: was not there")
    _stop_engine()


def _stop_engine() -> None:
    """Stop the Docker daemon that the harness started, unless others use it by now."""
    file = engine.pid_file()
    if not file.exists() or (engine.running() and shell.run(["docker", "ps", "-q"], what="listing containers")):
        return
    number = engine.pid(file)
    if engine.is_daemon(number):  # it may be gone, and its number another process's
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGTERM)
        deadline = time.monotonic() + ENDING
        while engine.is_daemon(number) and time.monotonic() < deadline:  # the next one refuses to start beside it
            time.sleep(0.1)
    file.unlink()


def fingerprint(nodes: int, root: Path = paths.REPO) -> str:
    """One hash of all files that decide what `up` makes."""
    digest = hashlib.sha256(f"nodes={nodes}\n".encode())
    if (way := ways.chosen()) != ways.Ways():
        digest.update(f"{way}\n".encode())
    for name in _INPUTS:
        place = root / name
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(root)} {_hash(file)}\n".encode())
    return digest.hexdigest()


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _recorded(record: Path) -> str:
    try:
        return str(json.loads(record.read_text()))
    except (OSError, ValueError):
        return ""


def _untouched(cluster: str) -> bool:
    """Whether the cluster answers and holds exactly what the stack says."""
    try:
        return engine.running() and provider.there(cluster) and stack.unchanged(cluster)
    except HarnessError:
        return False


def _timed(what: str, deed: Callable[[], T]) -> T:
    start = time.monotonic()
    say(f"== {what}")
    result = deed()
    say(f"== {what}: {clock(time.monotonic() - start)}")
    return result
