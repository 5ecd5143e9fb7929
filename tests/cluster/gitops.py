"""A folder of `garrison render -o`: what goes with what a controller does, and what comes of it on a cluster."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, Final

import yaml

from cluster.foreign import Foreign
from garrison import defaults as d
from garrison.manifest import Manifest, identity
from garrison.words import Ref
from garrison_stack import files

Identity = tuple[str, str, str, str]
FOLDER: Final = "deploy"
WAIT: Final = 120
PATIENCE: Final = 180  # until all of a commit stands
# What the server, the controllers of the cluster and whoever deployed add: none of it was asked for.
SERVERS: Final = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
DEPLOYERS: Final = ("pulumi.com/", "kustomize.toolkit.fluxcd.io/", "argocd.argoproj.io/")
REVISION: Final = "deployment.kubernetes.io/revision"
ALLOCATED: Final = ("clusterIP", "clusterIPs")


def rendered(app: Foreign, program: str) -> list[Manifest]:
    """Everything of a program for its cluster, written into its folder."""
    done = app.run("garrison", "render", "-o", FOLDER, "--app", program, "--cluster", str(app.stack))
    assert done.returncode == 0, done.stderr
    return [item for folder in sorted((app.folder / FOLDER).glob("*/")) for item in _objects(folder)]


def user(account: Ref) -> str:
    """As whom the API server knows an account."""
    return f"system:serviceaccount:{account.namespace}:{account.name}"


def account(of: Ref) -> list[Manifest]:
    """A controller's namespace and account, as its maker's manifests make them: it may do everything."""
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    subject = {"kind": "ServiceAccount", "name": of.name, "namespace": of.namespace}
    rights = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": of.namespace}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": of.name, "namespace": of.namespace}},
        rights | {"metadata": {"name": of.name}, "roleRef": role, "subjects": [subject]},
    ]


@contextmanager
def storing(app: Foreign) -> Iterator[None]:
    """The store's objects of the folder, while a controller brings the rest of it."""
    command = ["garrison", "store", "apply", f"{FOLDER}/{files.STORE}", "--wait", str(WAIT)]
    with Popen(command, cwd=app.folder, env=app.env, text=True, stdout=PIPE, stderr=PIPE) as store:
        yield
        said, errors = store.communicate(timeout=WAIT)
        assert store.returncode == 0, errors
        assert "objects written" in said, said


def forgotten(app: Foreign) -> None:
    """The store's objects of a folder that is gone."""
    done = app.run("garrison", "store", "remove", f"{FOLDER}/{files.STORE}")
    assert done.returncode == 0, done.stderr


def _objects(folder: Path) -> list[Manifest]:
    return [*yaml.safe_load_all((folder / files.OBJECTS).read_text())]


# --- what there is ----------------------------------------------------------------------------------------------------


def standing(app: Foreign, items: Sequence[Manifest], besides: Collection[Identity] = ()) -> dict[Identity, Manifest]:
    """All of Garrison's objects of these kinds on the cluster, as somebody asked for them; `besides` are another's."""
    kinds = {(item["kind"], *reversed(item["apiVersion"].split("/"))) for item in items}
    asked = ",".join(sorted(".".join(one) if len(one) == 3 else one[0] for one in kinds))
    found = app.get(asked, "--all-namespaces", f"--selector={d.MANAGED_BY}={d.MANAGER}")["items"]
    plain = (_plain(item) for item in found if "ownerReferences" not in item["metadata"])
    return {key: item for item in plain if (key := identity(item)) not in besides}


def _plain(item: Manifest) -> Manifest:
    """Without what nobody asked for, and without the notes of whoever deployed it."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in SERVERS}
    for notes in ("annotations", "labels"):
        left = {key: value for key, value in metadata.pop(notes, {}).items() if not _noted(key)}
        metadata |= {notes: left} if left else {}
    rest = {key: value for key, value in item.items() if key not in ("metadata", "status")}
    if item["kind"] == "Service":
        rest["spec"] = {key: value for key, value in item["spec"].items() if key not in ALLOCATED}
    return {**rest, "metadata": metadata}


def _noted(name: str) -> bool:
    return name in (*files.NOTES, REVISION) or name.startswith(DEPLOYERS)


def kept(app: Foreign) -> dict[str, Any]:
    """What the store has of each thing that the folder's file asks for; None where there is nothing."""
    file = json.loads((app.folder / FOLDER / files.STORE).read_text())
    found: dict[str, Any] = {}
    for one in (one for server in file["servers"] for one in server["objects"]):
        answer: Any = app.keeper.read(one["path"])
        said = {*one["body"], "connection_details"}
        found[one["path"]] = answer and {key: value for key, value in answer["data"].items() if key in said}
    return found
