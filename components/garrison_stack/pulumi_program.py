"""What `pulumi up` does: admission first, then the platform, then the estate on it."""

from __future__ import annotations

from pathlib import Path

import pulumi

from garrison.declare.app import App
from garrison.deployment import derived, standing
from garrison.deployment.admission import Admission
from garrison.deployment.configuration import read
from garrison.deployment.emit import Estate
from garrison.deployment.platform.component import Platform, connection
from garrison.deployment.vault import GeneratedSecret, checking
from garrison.derive.adjustment import Adjust
from garrison.errors import GarrisonError
from garrison.explain.allowed import allowed
from garrison.kube import KubectlError, check_deployer, check_reachable, check_version
from garrison_stack import beside, permitted
from garrison_stack.whole import Whole, whole


def deploy(app: App, adjust: Adjust | None, exceptions: Path | None) -> None:
    """Everything is derived, rendered and checked before the first resource is registered."""
    if pulumi.runtime.settings.SETTINGS.monitor is None:
        raise GarrisonError("the program was run by hand: `pulumi preview` and `pulumi up` run it")
    settings = read()
    what = whole(app, settings, adjust, exceptions)
    check(what)
    # as an output, so that a preview shows a declared change as a line of its own
    pulumi.export("allowed", {str(item): True for item in allowed(what.estate.graph)})
    register(what)


def check(what: Whole) -> None:
    """Raise a GarrisonError with what this cluster, or a store that is somebody else's, lacks."""
    _check_cluster(what)
    if not pulumi.runtime.is_dry_run():
        beside.check(what)
    _check_store(what)


def _check_cluster(what: Whole) -> None:
    """Raise a GarrisonError where the cluster does not answer, is closed to who asks, or lacks what is not made here.

    A preview works without the cluster, and says so.
    """
    settings = what.settings
    if not pulumi.runtime.is_dry_run():
        check_reachable()
        check_version()
        check_deployer(settings.cluster.deployers)
        permitted.check(what, logs_in=connection(settings).through_kubectl)
    if not standing.wanted(settings):
        return
    try:
        check_reachable()
    except KubectlError as error:
        if not pulumi.runtime.is_dry_run():
            raise
        pulumi.log.warn(f"what has to stand on the cluster already was not looked for: {error}")
    else:
        standing.check(settings)


def _check_store(what: Whole) -> None:
    """A store that is somebody else's has all that is needed, in a preview, too: it stands before anything is made."""
    estate = what.estate
    kept, store = derived.secrets(estate.graph, estate.cluster), estate.cluster.store
    generated = what.settings.generated_secrets
    checking.check(connection(what.settings), kept, generated, outside=bool(store.ranges))


def register(what: Whole, parent: pulumi.Resource | None = None) -> Estate:
    """Hand all of it to Pulumi, each part after the one that it stands on."""
    guard = Admission(what.admission, opts=pulumi.ResourceOptions(parent=parent))
    image = dict(what.estate.graph.images)["openbao"]
    guarded = pulumi.ResourceOptions(parent=parent, depends_on=[guard])
    platform = Platform(what.settings, image=image, users=what.users, steps=what.platform, opts=guarded)
    ready = pulumi.ResourceOptions(parent=parent, depends_on=[platform])
    for path in what.settings.generated_secrets:
        GeneratedSecret(path, connection=platform.store, opts=ready)
    keep = what.settings.keep_data
    return Estate(what.estate, store=platform.store, users=platform.users, keep_data=keep, opts=ready)


def failed(said: str) -> None:
    """Told as an error of this run: by Pulumi, where it listens."""
    if pulumi.runtime.settings.SETTINGS.engine is None:
        raise SystemExit(said)
    pulumi.log.error(said)
