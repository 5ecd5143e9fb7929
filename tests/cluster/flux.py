"""Flux's kustomize-controller, as nobody here wrote it, keeping a folder of `garrison render -o` applied.

It runs beside the cluster with the account it would have inside. Its companion, source-controller, knows git and
nothing of what is in a folder: here the tests hand the folder over, as that one does after each commit.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cluster.foreign import Foreign
from cluster.gitops import PATIENCE, account, user
from cluster.live import eventually
from garrison.words import Ref
from garrison_stack import files
from harness import build
from harness.ports import free_port
from harness.serving import offered
from servers.proxies import listening

CONTROLLER: Final = Ref("flux-system", "kustomize-controller")
ACCOUNT: Final = user(CONTROLLER)
KINDS: Final = ("kustomizations", "sources")
_REPOSITORY: Final = {
    "apiVersion": "source.toolkit.fluxcd.io/v1",
    "kind": "GitRepository",
    "metadata": {"name": "flux-system", "namespace": CONTROLLER.namespace},
    "spec": {"interval": "10m", "url": "https://git.example/team/estate"},
}


@dataclass(frozen=True)
class Flux:
    """A running controller, and where it is given what to apply."""

    folder: Path
    address: str
    log: Path

    def pushed(self, app: Foreign, name: str) -> None:
        """A commit with the folder `name` of a program has come; returns when all of it stands."""
        revision = self._handed(app, app.folder / name)
        app.kubectl("apply", "--filename", str(app.folder / name / files.FLUX))
        eventually(lambda: not self._waiting(app, revision), f"all of {revision} ({self.log})", PATIENCE)

    def removed(self, app: Foreign, name: str) -> None:
        """Nobody wants the folder any more; returns when the controller has taken away what it made of it."""
        app.kubectl("delete", f"--timeout={PATIENCE}s", "--filename", str(app.folder / name / files.FLUX))

    def _handed(self, app: Foreign, folder: Path) -> str:
        archive = self.folder / "commit.tar.gz"
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(folder, folder.name)
        digest, now = hashlib.sha256(archive.read_bytes()).hexdigest(), datetime.now(UTC).strftime("%FT%TZ")
        archive.rename(self.folder / f"{digest}.tar.gz")
        artifact = {
            "digest": f"sha256:{digest}",
            "lastUpdateTime": now,
            "path": f"{digest}.tar.gz",
            "revision": f"main@sha1:{digest[:40]}",
            "url": f"{self.address}/{digest}.tar.gz",
        }
        ready = {"type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": now}
        app.apply([_REPOSITORY])
        said = json.dumps({"status": {"artifact": artifact, "observedGeneration": 1, "conditions": [ready]}})
        where = (f"--namespace={CONTROLLER.namespace}", "--subresource=status", "--type=merge")
        app.kubectl("patch", "gitrepository", "flux-system", *where, "--patch", said)
        return artifact["revision"]

    def _waiting(self, app: Foreign, revision: str) -> list[str]:
        """Which steps are not through yet, each with the controller's own words."""
        steps: list[dict[str, Any]] = app.get("kustomizations", f"--namespace={CONTROLLER.namespace}")["items"]
        return [
            f"{step['metadata']['name']}: {_said(step)}"
            for step in steps
            if step.get("status", {}).get("lastAppliedRevision") != revision or _said(step)
        ]


def _said(step: dict[str, Any]) -> str:
    """Why a step is not ready; nothing where it is."""
    conditions = step.get("status", {}).get("conditions", ())
    return next((one["message"] for one in conditions if one["type"] == "Ready" and one["status"] != "True"), "")


@contextmanager
def keeping(app: Foreign, folder: Path) -> Iterator[Flux]:
    """The controller with its kinds, its namespace and its account; the cluster outlives it."""
    part = build.obtain("flux")
    app.kubectl("apply", "--server-side", *(f"--filename={part / name}" for name in KINDS))
    app.knows_kinds()
    app.apply(account(CONTROLLER))
    known = app.known_as(CONTROLLER, folder / "kubeconfig")
    port, log = free_port(), folder / "log"
    flags = ("--metrics-addr=0", f"--health-addr=127.0.0.1:{port}", "--requeue-dependency=1s")
    environment = {**os.environ, "KUBECONFIG": str(known), "RUNTIME_NAMESPACE": CONTROLLER.namespace}
    (served := folder / "served").mkdir()
    with (
        offered(served) as address,
        listening([part / "kustomize-controller", *flags], log, port, environment),
    ):
        yield Flux(served, address, log)
