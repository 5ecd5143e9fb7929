"""Docker as the cluster needs it: node containers by kind's labels, their state, and kind's environment."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import paths, shell
from harness.errors import HarnessError
from harness.survey import Node, moment

_LABEL = "io.x-k8s.kind.cluster"
BESIDE = "dev.garrison.beside"  # the label of what is no node, and belongs to a cluster all the same
_SYS_RESOURCE = 24


def nodes(cluster: str) -> list[Node]:
    """The node containers of a cluster, running or not."""
    return [
        Node(
            name=str(found["Name"]).lstrip("/"),
            status=found["State"]["Status"],
            started=moment(found["State"]["StartedAt"]),
        )
        for found in _inspect(cluster)
    ]


def stays_stopped(container: str) -> None:
    """Let the engine start it only when it is asked to: else every cluster of the machine comes up with the engine."""
    shell.run(["docker", "update", "--restart=no", container], what=f"setting how {container} is started")


def image(container: str) -> str:
    """What a container was made of."""
    look = ["docker", "inspect", container, "--format={{.Config.Image}}"]
    return shell.run(look, what=f"looking at {container}").strip()


def addresses(cluster: str) -> dict[str, str]:
    """The address of each running node on its cluster's network."""
    return {
        str(found["Name"]).lstrip("/"): next(
            network["IPAddress"] for network in found["NetworkSettings"]["Networks"].values()
        )
        for found in _inspect(cluster)
    }


def remove_beside(cluster: str) -> None:
    """Remove what stands beside the nodes on the cluster's network."""
    listing = ["docker", "ps", "--all", "--quiet", f"--filter=label={BESIDE}={cluster}"]
    if ids := shell.run(listing, what=f"listing what stands beside {cluster}").split():
        shell.run(["docker", "rm", "--force", "--volumes", *ids], what=f"removing what stands beside {cluster}")


def _inspect(cluster: str) -> list[dict[str, Any]]:
    listing = ["docker", "ps", "--all", "--quiet", f"--filter=label={_LABEL}={cluster}"]
    ids = shell.run(listing, what="listing nodes").split()
    if not ids:
        return []
    try:
        told = shell.run(["docker", "inspect", *ids], what="inspecting nodes")
    except HarnessError as error:
        if "No such object" in str(error):  # removed since it was listed
            return _inspect(cluster)
        raise
    loaded: list[dict[str, Any]] = json.loads(told)
    return sorted(loaded, key=lambda container: str(container["Name"]))


def kind_environment(cluster: str) -> Mapping[str, str]:
    """kind's environment: a network of the cluster's own, and the wrapper where --privileged fails."""
    environment = {"KIND_EXPERIMENTAL_PROVIDER": "docker", "KIND_EXPERIMENTAL_DOCKER_NETWORK": cluster}
    if lacks_sys_resource(Path("/proc/self/status").read_text()):
        shim = paths.HARNESS / "node" / "shim"
        environment["PATH"] = f"{shim}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        environment["GARRISON_DOCKER"] = shutil.which("docker") or "docker"
    return environment


def lacks_sys_resource(status: str) -> bool:
    """Whether the bounding set in a /proc status text is without CAP_SYS_RESOURCE."""
    for line in status.splitlines():
        if line.startswith("CapBnd:"):
            return not int(line.split()[1], 16) >> _SYS_RESOURCE & 1
    return False
