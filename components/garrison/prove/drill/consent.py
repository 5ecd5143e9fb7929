"""Asked once before anything is opened: is this really the cluster?

A cluster says of itself that it may be opened, by a label that only its administrators can set. Whoever starts the
drill says which one they mean.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass

from garrison.prove.kubectl import HOME, Kubectl
from garrison.prove.model import ProveError

LABEL, ALLOWED = "garrison.dev/drill", "allowed"


@dataclass(frozen=True)
class Cluster:
    """A cluster as kubeconfig names it."""

    name: str
    context: str
    server: str


def named(kubectl: Kubectl) -> Cluster:
    """What the kubeconfig in use calls the cluster it leads to."""
    config = json.loads(kubectl.run("config", "view", "--minify", "--output=json"))
    try:
        (context,), (cluster,) = config["contexts"], config["clusters"]
        return Cluster(cluster["name"], context["name"], cluster["cluster"]["server"])
    except (KeyError, TypeError, ValueError):
        raise ProveError("the kubeconfig names no cluster: give --context") from None


def ask(kubectl: Kubectl, app: str, meant: str | None, *, unlabelled: bool, read: Callable[[], str] | None) -> None:
    """Return where the drill may begin; `read` asks a person, and there is nobody to ask without it."""
    cluster = named(kubectl)
    labels = (kubectl.get("namespace", HOME)["metadata"].get("labels")) or {}
    if labels.get(LABEL) != ALLOWED and not unlabelled:
        raise ProveError(
            f"cluster {cluster.name} ({cluster.server}) is not labelled for drills, which open what protects it: if it"
            f" is for tests, `kubectl label namespace {HOME} {LABEL}={ALLOWED}`, or give --unlabelled"
        )
    if meant is None and read is None:
        raise ProveError(f"nobody to ask whether {cluster.name} is the one to open: give --yes-open {cluster.name}")
    if meant is None and read is not None:
        print(_question(cluster, app), end="", file=sys.stderr, flush=True)
        meant = read().strip()
    if meant != cluster.name:
        raise ProveError(f"{meant!r} is not {cluster.name!r}, the cluster of this kubeconfig: nothing was changed")


def _question(cluster: Cluster, app: str) -> str:
    return (
        f"The drill takes the protections of App {app} away, one after the other, and restarts its pods.\n"
        f"  context  {cluster.context}\n  server   {cluster.server}\n  cluster  {cluster.name}\n"
        "Type the cluster's name to go on: "
    )
