"""What a shell or a child process needs to work with one cluster, as a mapping and as env.sh.

Everything by hand starts with sourcing that file: pulumi, kubectl and the tests then find the
tools, the cluster and the state without further arguments.
"""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from pathlib import Path

from harness import build, images, official, paths, provider, pulumi_home, signing
from harness.parts import part
from harness.plugin import launcher

MAIN, TEST = "garrison", "garrison-test"
STACK = "kind"


def variables(cluster: str) -> dict[str, str]:
    """The variables of one cluster, without those of this process."""
    state = paths.cluster_state(cluster)
    roots = [str(paths.REPO / name) for name in ("components", "policies", "tests", "services")]
    return {
        "PATH": os.pathsep.join([*map(str, _tools(cluster)), *_outside(cluster)]),
        "KUBECONFIG": str(state / "kubeconfig"),
        "PULUMI_BACKEND_URL": f"file://{_made(state / 'pulumi')}",
        "PULUMI_HOME": str(pulumi_home.made(state / "pulumi-home")),
        "PULUMI_CONFIG_PASSPHRASE_FILE": str(_passphrase()),
        "PULUMI_STACK": STACK,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # A checkout that has not seen this stack yet takes the salt of its secrets from the state.
        "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true",
        "PYTHONPATH": os.pathsep.join(roots),
        "GARRISON_CHARTS": str(part("charts").folder),
        "GARRISON_CLUSTER": cluster,
        **signing.variables(),
        **provider.variables(cluster),
        **({"GARRISON_IMAGES": str(images.built_here())} if images.built_here().exists() else {}),
    }


def full(cluster: str) -> dict[str, str]:
    """The environment of a child process that works with `cluster`."""
    return {**os.environ, **variables(cluster)}


def write(cluster: str) -> Path:
    """Write env.sh of `cluster`, to be sourced by people."""
    file = paths.cluster_state(cluster) / "env.sh"
    lines = [f"# source this file to work with the cluster {cluster}; written by the harness"]
    for name, value in variables(cluster).items():
        if name == "PULUMI_STACK":  # a shell may work on other projects, too: there it would hide every other stack
            continue
        quoted = shlex.quote(value)
        lines.append(f"export {name}={quoted}" if name != "PATH" else _path_line(cluster))
    file.write_text("\n".join(lines) + "\n")
    return file


def _path_line(cluster: str) -> str:
    """Only what we put in front: the rest of PATH belongs to the shell that sources the file."""
    front = os.pathsep.join(str(folder) for folder in _tools(cluster))
    return f'export PATH={shlex.quote(front)}:"$PATH"'


def _tools(cluster: str) -> list[Path]:
    return [_launchers(cluster), Path(sys.executable).parent, build.links()]


def _launchers(cluster: str) -> Path:
    """Commands that run from this checkout: the plugin, unless the official one is here, and garrison."""
    folder = _made(paths.cluster_state(cluster) / "bin")
    if official.linked(pulumi_home.made(paths.cluster_state(cluster) / "pulumi-home")):
        (folder / launcher.NAME).unlink(missing_ok=True)
    else:
        launcher.write_launcher(folder, Path(sys.executable))
    command = folder / "garrison"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m garrison "$@"\n')
    command.chmod(0o755)
    return folder


def _outside(cluster: str) -> list[str]:
    """The caller's PATH without what an earlier env.sh put there, of this cluster or of another: Pulumi would take the
    first plugin that it finds.
    """
    ours = {str(folder) for folder in _tools(cluster)}
    there = [p for p in os.environ.get("PATH", os.defpath).split(os.pathsep) if p not in ours]
    return [p for p in there if not launcher.is_stand_in(Path(p) / launcher.NAME)]


def _passphrase() -> Path:
    """One per machine: it protects the secrets in the Pulumi states of all local clusters."""
    file = paths.state() / "passphrase"
    if not file.exists():
        paths.state().mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = file.with_suffix(f".{os.getpid()}")
        temporary.touch(mode=0o600)
        temporary.write_text(secrets.token_urlsafe(32))
        temporary.replace(file)
    return file


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
