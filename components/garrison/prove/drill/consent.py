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
class Destination:
    """Where a kubeconfig leads, in its own words."""

    name: str
    context: str
    server: str


def named(kubectl: Kubectl) -> Destination:
    """What the kubeconfig in use calls the cluster it leads to."""
    config = json.loads(kubectl.run("config", "view", "--minify", "--output=json"))
    try:
        (context,), (cluster,) = config["contexts"], config["clusters"]
        return Destination(cluster["name"], context["name"], cluster["cluster"]["server"])
    except (KeyError, TypeError, ValueError):
        raise ProveError("the kubeconfig names no cluster: give --context") from None


def ask(kubectl: Kubectl, app: str, meant: str | None, *, unlabelled: bool, read: Callable[[], str] | None) -> None:
    """Return where the drill may begin; `read` asks a person, and there is nobody to ask without it."""
    there = named(kubectl)
    labels = (kubectl.get("namespace", HOME)["metadata"].get("labels")) or {}
    if labels.get(LABEL) != ALLOWED and not unlabelled:
        raise ProveError(
            f"cluster {there.name} ({there.server}) is not labelled for drills, which open what protects it: if it"
            f" is for tests, `kubectl label namespace {HOME} {LABEL}={ALLOWED}`, or give --unlabelled"
        )
    if meant is None and read is None:
        raise ProveError(f"nobody to ask whether {there.name} is the one to open: give --yes-open {there.name}")
    if meant is None and read is not None:
        print(_question(there, app), end="", file=sys.stderr, flush=True)
        meant = read().strip()
    if meant != there.name:
        raise ProveError(f"{meant!r} is not {there.name!r}, the cluster of this kubeconfig: nothing was changed")


def _question(there: Destination, app: str) -> str:
    return (
        f"The drill takes the protections of App {app} away, one after the other, and restarts its pods.\n"
        f"  context  {there.context}\n  server   {there.server}\n  cluster  {there.name}\n"
        "Type the cluster's name to go on: "
    )
