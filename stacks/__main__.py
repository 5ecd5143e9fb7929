"""What `pulumi up` does: the platform first, then the estate on it. Everything that declares is in estate.py."""

import sys
from pathlib import Path

import pulumi

from garrison import deploy
from garrison.declare.program import load
from garrison.deployment.configuration import read
from garrison.deployment.platform.component import Platform, platform_namespaces
from garrison.deployment.vault import GeneratedSecret
from garrison.errors import GarrisonError
from garrison.explain.allowed import allowed
from garrison.kube import check_deployer, check_reachable
from garrison_policies.exceptions.file import load_exceptions
from garrison_policies.places import signed
from garrison_policies.places.resources import Admission
from garrison_policies.places.whole import manifests

EXCEPTIONS = Path(__file__).parents[1] / "policies" / "exceptions.yaml"
SAID = 32  # tells Pulumi's language host that the user has been told why, so that it adds nothing of its own


def main() -> None:
    """Read the settings, check that the cluster is there, guard admission, install the platform, deploy the estate."""
    settings = read()
    app = load(Path(__file__).with_name("estate.py"))
    graph = app.graph()  # a declaration that does not hold together stops before anything is installed
    if not pulumi.runtime.is_dry_run():  # a preview works without the cluster, and says so
        check_reachable()
        check_deployer(settings.cluster.deployers)
    users = graph.embedded_issuer is not None
    guard = Admission(
        manifests(
            graph,
            settings.cluster,
            also=signed.load(settings.signed_images),
            exceptions=load_exceptions(EXCEPTIONS),
            platform=platform_namespaces(settings, users=users),
        )
    )
    guarded = pulumi.ResourceOptions(depends_on=[guard])
    platform = Platform(settings, image=app.images["openbao"], users=users, opts=guarded)
    ready = pulumi.ResourceOptions(depends_on=[platform])
    for path in settings.generated_secrets:
        GeneratedSecret(path, connection=platform.store, opts=ready)
    # as an output, so that a preview shows a declared change as a line of its own
    pulumi.export("allowed", {str(item): True for item in allowed(app.graph())})
    deploy(app, cluster=settings.cluster, store=platform.store, users=platform.users, opts=ready)


try:
    main()
except GarrisonError as error:
    pulumi.log.error(str(error))
    sys.exit(SAID)
