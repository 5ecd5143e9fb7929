"""What `pulumi up` does: admission first, then the platform, then the estate on it."""

from __future__ import annotations

from pathlib import Path

import pulumi

from garrison.declare.app import App
from garrison.deployment.admission import Admission
from garrison.deployment.configuration import read
from garrison.deployment.emit import Estate
from garrison.deployment.platform.component import Platform
from garrison.deployment.vault import GeneratedSecret
from garrison.derive.adjustment import Adjust
from garrison.errors import GarrisonError
from garrison.explain.allowed import allowed
from garrison.kube import check_deployer, check_reachable
from garrison_stack import beside
from garrison_stack.whole import Whole, whole


def deploy(app: App, adjust: Adjust | None, exceptions: Path | None) -> None:
    """Everything is derived, rendered and checked before the first resource is registered."""
    if pulumi.runtime.settings.SETTINGS.monitor is None:
        raise GarrisonError("the program was run by hand: `pulumi preview` and `pulumi up` run it")
    settings = read()
    what = whole(app, settings, adjust, exceptions)
    if not pulumi.runtime.is_dry_run():  # a preview works without the cluster, and says so
        check_reachable()
        check_deployer(settings.cluster.deployers)
        beside.check(what)
    register(what)


def register(what: Whole) -> None:
    """Hand all of it to Pulumi, each part after the one that it stands on."""
    guard = Admission(what.admission)
    image = dict(what.estate.graph.images)["openbao"]
    guarded = pulumi.ResourceOptions(depends_on=[guard])
    platform = Platform(what.settings, image=image, users=what.users, steps=what.platform, opts=guarded)
    ready = pulumi.ResourceOptions(depends_on=[platform])
    for path in what.settings.generated_secrets:
        GeneratedSecret(path, connection=platform.store, opts=ready)
    # as an output, so that a preview shows a declared change as a line of its own
    pulumi.export("allowed", {str(item): True for item in allowed(what.estate.graph)})
    keep = what.settings.keep_data
    Estate(what.estate, store=platform.store, users=platform.users, keep_data=keep, opts=ready)


def failed(said: str) -> None:
    """Told as an error of this run: by Pulumi, where it listens."""
    if pulumi.runtime.settings.SETTINGS.engine is None:
        raise SystemExit(said)
    pulumi.log.error(said)
