"""A folder that a GitOps controller deploys: the same objects as Pulumi registers, in the same order.

NN-STEP/objects.yaml   the objects of a step; Argo CD reads the order in their sync waves
kustomization.yaml     all of them
flux.yaml              one Flux Kustomization for each step, each after those that it needs
store.json             what the OpenBaos have to hold: `garrison store apply`
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from garrison.cluster import Store
from garrison.deployment import derived
from garrison.deployment.platform import plan
from garrison.deployment.store_file import StoreFile
from garrison.errors import GarrisonError
from garrison.manifest import Manifest, identity
from garrison.words import Ref
from garrison_stack.whole import Whole

WAVE: Final = "argocd.argoproj.io/sync-wave"
OBJECTS, STORE, ALL, FLUX = "objects.yaml", "store.json", "kustomization.yaml", "flux.yaml"
# What a Job runs cannot be changed: both make another one in the place of the one that was.
ONCE: Final = {
    "argocd.argoproj.io/sync-options": "Force=true,Replace=true",
    "kustomize.toolkit.fluxcd.io/force": "enabled",
}
# What holds data is not taken away because a file is gone; nor does Argo CD try to, again and again.
KEPT: Final = {
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}
NOTES: Final = (WAVE, *ONCE, *KEPT)


class FolderError(GarrisonError):
    """The folder cannot be written."""


def stream(items: Iterable[Manifest]) -> str:
    """Objects as one YAML stream."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    said: str = yaml.dump_all(items, Dumper=dumper, sort_keys=False, explicit_start=True, width=1000)
    return said


def write(what: Whole, folder: Path, path: str) -> None:
    """Write the folder anew; it takes the place of an earlier one at once, and of nothing else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / STORE).is_file():
        raise FolderError(f"{folder}: holds something else than an earlier render; name a folder of its own")
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        made.chmod(0o755)
        for name, text in contents(what, path).items():
            (made / name).parent.mkdir(exist_ok=True)
            (made / name).write_text(text)
        _take_the_place(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _take_the_place(made: Path, folder: Path) -> None:
    old = made.with_name(f"{made.name}-old")
    if folder.exists():
        folder.rename(old)
    made.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def contents(what: Whole, path: str) -> dict[str, str]:
    """Each file by its name in the folder."""
    steps = what.steps()
    kept = derived.lasting([item for step in steps for item in step.items]) if what.settings.keep_data else frozenset()
    names = {step.name: f"{number:02}-{step.name}" for number, step in enumerate(steps, 1)}
    found = {
        f"{names[step.name]}/{OBJECTS}": stream(noted(item, wave, kept=identity(item) in kept) for item in step.items)
        for step, wave in zip(steps, waves(steps), strict=True)
    }
    listed = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": [*found]}
    flux = stream(_flux(what.estate.graph.name, steps, names, path))
    return {**found, ALL: stream([listed]), FLUX: flux, STORE: store_file(what).to_json()}


def waves(steps: Sequence[plan.Step]) -> Iterator[int]:
    """One after the other; what nobody waits for goes with the next."""
    number = 0
    for step in steps:
        yield number
        number += step.awaited


def noted(item: Manifest, wave: int, *, kept: bool) -> Manifest:
    """The object with what the controllers have to know, as annotations: nothing of it acts in the cluster."""
    metadata = item["metadata"]
    more = {WAVE: str(wave)} | (ONCE if item["kind"] == "Job" else KEPT if kept else {})
    return {**_typed(item), "metadata": {**metadata, "annotations": {**metadata.get("annotations", {}), **more}}}


def _typed(item: Manifest) -> Manifest:
    """The object with the kind of its claims, as the API server keeps it: else Argo CD never takes it for synced."""
    claims = item.get("spec", {}).get("volumeClaimTemplates")
    if not claims:
        return item
    kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    return {**item, "spec": {**item["spec"], "volumeClaimTemplates": [{**kind, **claim} for claim in claims]}}


def _flux(graph: str, steps: Sequence[plan.Step], names: dict[str, str], path: str) -> Iterator[dict[str, Any]]:
    for step in steps:
        spec: dict[str, Any] = {
            "dependsOn": [{"name": f"{graph}-{name}"} for name in step.after],
            "interval": "10m",
            "path": f"./{PurePosixPath(path, names[step.name])}",
            "prune": True,
            "sourceRef": {"kind": "GitRepository", "name": "flux-system"},
            "timeout": "10m",
            "wait": step.awaited,
        }
        metadata = {"name": f"{graph}-{step.name}", "namespace": "flux-system"}
        yield {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": metadata,
            "spec": spec,
        }


def store_file(what: Whole) -> StoreFile:
    """What is in no manifest."""
    graph, settings = what.estate.graph, what.settings
    secrets, users = derived.secrets(graph, what.estate.cluster), derived.users(graph, what.estate.cluster)
    generated = (*settings.generated_secrets, *secrets.generated)
    kept = (derived.Contents(secrets.server, secrets.objects, generated), users)
    there, ca = what.estate.cluster.store, settings.openbao_ca or settings.store_ca
    return StoreFile(
        kept=tuple(one for one in kept if one.objects or one.generated),
        keys=tuple(Ref(step.key.namespace, step.key.seal_key) for step in what.platform if step.key),
        address=settings.openbao_address,
        ca=str(ca) if ca else None,
        store=None if there == Store() else there,
    )
