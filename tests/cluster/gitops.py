"""What a GitOps controller does with a folder of `garrison render -o`, step by step, and what comes of it on a cluster.

Argo CD and Flux are not to be had here. The order, what is waited for and the account are those of `flux.yaml`; the
controllers' own code is not run.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, Final

import yaml

from cluster.foreign import Foreign
from garrison import defaults as d
from garrison.manifest import Manifest, identity
from garrison_stack import files

Identity = tuple[str, str, str, str]
FOLDER: Final = "deploy"
WAIT: Final = 120
ROLLOUT: Final = ("rollout", "status")
READY: Final = {"Certificate": ("wait", "--for=condition=Ready"), "Deployment": ROLLOUT, "StatefulSet": ROLLOUT}
# What the server, the controllers of the cluster and whoever deployed add: none of it was asked for.
SERVERS: Final = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
REVISION: Final = "deployment.kubernetes.io/revision"
ALLOCATED: Final = ("clusterIP", "clusterIPs")


def rendered(app: Foreign, program: str) -> list[Manifest]:
    """Everything of a program for its cluster, written into its folder."""
    done = app.run("garrison", "render", "-o", FOLDER, "--app", program, "--cluster", str(app.stack))
    assert done.returncode == 0, done.stderr
    return [item for folder in sorted((app.folder / FOLDER).glob("*/")) for item in _objects(folder)]


def applied(app: Foreign, *, by: str = "", patient: bool = True) -> None:
    """The folder on the cluster, in its order, and beside that the store's objects.

    by: the account that does it. patient: whether the next step waits for the one before it, and the end for the last.
    """
    command = ["garrison", "store", "apply", f"{FOLDER}/{files.STORE}", "--wait", str(WAIT)]
    with Popen(command, cwd=app.folder, env=app.env, text=True, stdout=PIPE, stderr=PIPE) as store:
        for folder, awaited in _steps(app):
            account = [f"--as={by}"] if by else []
            app.kubectl("apply", "--server-side", "--force-conflicts", *account, "-f", str(folder / files.OBJECTS))
            if awaited and patient:
                _ready(app, _objects(folder))
        said, errors = store.communicate(timeout=WAIT)
        assert store.returncode == 0, errors
        assert "objects written" in said, said


def withdrawn(app: Foreign, *, by: str) -> None:
    """What a controller does when the folder is gone: the last step first, then the store. Nobody waits for it here."""
    for folder, _ in reversed([*_steps(app)]):
        place = str(folder / files.OBJECTS)
        app.kubectl("delete", "--wait=false", "--ignore-not-found", f"--as={by}", "-f", place)
    done = app.run("garrison", "store", "remove", f"{FOLDER}/{files.STORE}")
    assert done.returncode == 0, done.stderr


def _steps(app: Foreign) -> Iterator[tuple[Path, bool]]:
    """Each after those that it depends on, and whether it is waited for: as Flux reads it."""
    seen: set[str] = set()
    for step in yaml.safe_load_all((app.folder / FOLDER / files.FLUX).read_text()):
        assert {one["name"] for one in step["spec"]["dependsOn"]} <= seen
        seen.add(step["metadata"]["name"])
        yield app.folder / step["spec"]["path"], step["spec"]["wait"]


def _objects(folder: Path) -> list[Manifest]:
    return [*yaml.safe_load_all((folder / files.OBJECTS).read_text())]


def _ready(app: Foreign, items: Sequence[Manifest]) -> None:
    """What a controller takes for health; of other kinds, that they are there."""
    for item in items:
        if words := READY.get(item["kind"]):
            name, space = item["metadata"]["name"], item["metadata"]["namespace"]
            app.kubectl(*words, f"{item['kind']}/{name}", f"--namespace={space}", f"--timeout={WAIT}s")


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
    notes = {key: value for key, value in metadata.pop("annotations", {}).items() if not _noted(key)}
    rest = {key: value for key, value in item.items() if key not in ("metadata", "status")}
    if item["kind"] == "Service":
        rest["spec"] = {key: value for key, value in item["spec"].items() if key not in ALLOCATED}
    return {**rest, "metadata": metadata | ({"annotations": notes} if notes else {})}


def _noted(annotation: str) -> bool:
    return annotation in (*files.NOTES, REVISION) or annotation.startswith("pulumi.com/")


def kept(app: Foreign) -> dict[str, Any]:
    """What the store has of each thing that the folder's file asks for; None where there is nothing."""
    file = json.loads((app.folder / FOLDER / files.STORE).read_text())
    found: dict[str, Any] = {}
    for one in (one for server in file["servers"] for one in server["objects"]):
        answer: Any = app.keeper.read(one["path"])
        said = {*one["body"], "connection_details"}
        found[one["path"]] = answer and {key: value for key, value in answer["data"].items() if key in said}
    return found
