"""What is asked of a machine, as it is found. Standard library only: this runs before there is an environment."""

from __future__ import annotations

import platform
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness import apt, engine, entrance, limits, paths

# What a user other than root must find installed, because nothing can be installed for them.
TOOLS = ("docker", "mmdebstrap", "newuidmap", "gcc")


@dataclass(frozen=True)
class Machine:
    """The facts that decide whether a toolchain can be made and a cluster can run."""

    architecture: str
    system: str
    root: bool
    absent: tuple[str, ...]  # of what only root could have installed
    engine: bool
    limits: tuple[str, ...]  # kernel limits that are too low
    raises: bool  # and this process may raise them
    go: str  # its version, "" when there is none
    fetches_go: bool
    free: int  # bytes, where the cache is
    assembled: bool  # images were made here before
    port: bool  # whether loopback has a port to give
    taken: tuple[int, ...]  # of the edges' ports, those where something else listens


def look() -> Machine:
    """This machine."""
    root = apt.can_install()
    return Machine(
        architecture=platform.machine(),
        system=_system(),
        root=root,
        absent=() if root else tuple(name for name in TOOLS if not shutil.which(name)),
        engine=engine.running(),
        limits=tuple(limits.low()),
        raises=limits.raisable(),
        go=_go(),
        fetches_go=_said(["go", "env", "GOTOOLCHAIN"]).strip() != "local",
        free=shutil.disk_usage(_existing(paths.cache())).free,
        assembled=(paths.cache() / "images").exists(),
        port=_port(),
        taken=tuple(port for cluster, port in entrance.PORTS.items() if not _is_free(cluster, port)),
    )


def _go() -> str:
    match = re.search(r"go version go(\S+)", _said(["go", "version"]))
    return match[1] if match else ""


def _system() -> str:
    try:
        said = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    except OSError:
        return platform.system().lower()
    return f"{said.get('ID', '?')} {said.get('VERSION_ID', '')}".strip()


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())


def _port() -> bool:
    try:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
    except OSError:
        return False
    return True


def _is_free(cluster: str, port: int) -> bool:
    """Nobody listens there, or a node of the very cluster that it is for."""
    node = f"^/?{cluster}-(control-plane|worker)"
    asked = ["docker", "ps", "-q", f"--filter=name={node}", f"--filter=publish={port}"]
    return entrance.free(port) or bool(_said(asked)) or engine.publishers(node, port)


def _said(command: list[str]) -> str:
    try:
        # Not in a folder with a go.mod: there the answer would be about that file's toolchain.
        return subprocess.run(command, cwd="/", capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
