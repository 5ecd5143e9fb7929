"""Argo CD's controller and repo-server, as nobody here wrote them, keeping a folder of `garrison render -o` applied.

They run beside the cluster, as upstream's own Procfile runs them, with the account they would have inside. What they
read is a repository of git.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from cluster.foreign import Foreign
from cluster.gitops import PATIENCE, account, user
from cluster.live import eventually
from garrison.words import Ref
from harness import assembly, build, paths, rootfs, shell
from harness.documents import blocks
from harness.ports import free_port
from servers.proxies import listening

CONTROLLER: Final = Ref("argocd", "argocd-application-controller")
ACCOUNT: Final = user(CONTROLLER)
PAGE: Final = (paths.REPO / "docs" / "gitops.md").read_text()  # whose Application this is
_UNSEEN: Final = (("", "Endpoints"), ("discovery.k8s.io", "EndpointSlice"), ("coordination.k8s.io", "Lease"))
_QUIET: Final = {
    "resource.customizations.ignoreResourceUpdates.all": "jsonPointers: [/status]",
    "resource.exclusions": yaml.safe_dump([{"apiGroups": [group], "kinds": [kind]} for group, kind in _UNSEEN]),
}
_SOMEBODY: Final = ("-c", "user.name=somebody", "-c", "user.email=somebody@team.example")


@dataclass(frozen=True)
class ArgoCD:
    """A running controller, and the repository that it reads."""

    repository: Path

    def pushed(self, app: Foreign, name: str) -> list[dict[str, Any]]:
        """A commit with the folder `name` of a program has come; what is said of its objects when all of it stands."""
        shutil.rmtree(self.repository / name, ignore_errors=True)
        shutil.copytree(app.folder / name, self.repository / name)
        self._git("add", "--all")
        self._git(*_SOMEBODY, "commit", "--quiet", "--message=Deploy the estate")
        commit = self._git("rev-parse", "HEAD").strip()
        (application,) = blocks(PAGE, "yaml argocd")
        wanted = yaml.safe_load(application)
        wanted["spec"]["source"] |= {"repoURL": f"file://{self.repository}", "path": name}
        wanted["metadata"]["annotations"] = {"argocd.argoproj.io/refresh": "normal"}  # as a webhook of git has it
        app.apply([wanted])
        try:
            eventually(lambda: _through(_status(app), commit), f"all of {commit}", PATIENCE)
        except AssertionError as late:
            raise AssertionError(f"{late}: {_status(app)}") from None
        found: list[dict[str, Any]] = _status(app)["resources"]
        return found

    def _git(self, *words: str) -> str:
        return shell.run(["git", "-C", str(self.repository), *words], what="git")


def _status(app: Foreign) -> dict[str, Any]:
    found: dict[str, Any] = app.get("application", "estate", f"--namespace={CONTROLLER.namespace}").get("status", {})
    return found


def _through(status: dict[str, Any], commit: str) -> bool:
    done, seen, health = (status.get(part, {}) for part in ("operationState", "sync", "health"))
    if {commit} != {done.get("syncResult", {}).get("revision"), seen.get("revision")}:
        return False
    return (done.get("phase"), seen.get("status"), health.get("status")) == ("Succeeded", "Synced", "Healthy")


@contextmanager
def keeping(app: Foreign, folder: Path) -> Iterator[ArgoCD]:
    """The controller with its kinds, its namespace and its account; the cluster outlives it."""
    part, base = build.obtain("argocd"), assembly.base("redis").root
    app.kubectl("apply", "--server-side", "--kustomize", str(part / "argocd-kinds"))
    app.knows_kinds()
    app.apply([*account(CONTROLLER), *_known()])
    shell.run(["git", "init", "--quiet", "--initial-branch=main", str(folder / "estate")], what="git")
    environment = _environment(folder, app.known_as(CONTROLLER, folder / "kubeconfig"), part)
    redis, repo, seen, metrics = (free_port() for _ in range(4))
    reads = ("--address=127.0.0.1", f"--port={repo}", f"--metrics-port={seen}")
    applies = (f"--repo-server=127.0.0.1:{repo}", f"--metrics-port={metrics}", f"--namespace={CONTROLLER.namespace}")
    programs = {"repo-server": (repo, reads), "application-controller": (metrics, applies)}
    with ExitStack() as stack:
        server = [*rootfs.loader(base), base / "usr/local/bin/redis-server", "--port", redis, "--save", ""]
        stack.enter_context(listening(server, folder / "redis.log", redis))
        for role, (port, flags) in programs.items():
            named = environment | {"ARGOCD_BINARY_NAME": f"argocd-{role}"}
            command = [part / "argocd", f"--redis=127.0.0.1:{redis}", *flags]
            stack.enter_context(listening(command, folder / f"{role}.log", port, named))
        yield ArgoCD(folder / "estate")


def _environment(folder: Path, known: Path, part: Path) -> dict[str, str]:
    """As upstream's Procfile has it: places of its own, and this cluster for the one that it runs in."""
    places = {name: folder / name.lower() for name in ("TLS", "SSH", "GPG")}
    for place in places.values():
        place.mkdir()
    return {
        **os.environ,
        **{f"ARGOCD_{name}_DATA_PATH": str(place) for name, place in places.items()},
        "ARGOCD_FAKE_IN_CLUSTER": "true",
        "ARGOCD_GPG_ENABLED": "false",
        "ARGOCD_PLUGINSOCKFILEPATH": str(folder),
        "ARGOCD_SYNC_WAVE_DELAY": "0",  # two seconds for other controllers to begin; health is waited for all the same
        "HOSTNAME": "controller-1",
        "KUBECONFIG": str(known),
        "PATH": f"{part}:{os.environ['PATH']}",
        "TMPDIR": str(folder),
    }


def _known() -> list[dict[str, Any]]:
    """What the controller reads about itself, with what upstream's manifests say of changes that are none and of kinds
    that nobody commits (without it every status of a pod is a reconciliation), and a project that allows everything.
    """
    space = CONTROLLER.namespace
    meta = {"namespace": space, "labels": {"app.kubernetes.io/part-of": "argocd"}}
    key = {"server.secretkey": "of nobody: no server runs"}
    everything = {
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        "destinations": [{"namespace": "*", "server": "*"}],
        "sourceRepos": ["*"],
    }
    project = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AppProject", "spec": everything}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", **meta}, "data": _QUIET},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "argocd-secret", **meta}, "stringData": key},
        project | {"metadata": {"name": "default", "namespace": space}},
    ]
