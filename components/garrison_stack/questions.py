"""What a program asks the cluster itself, with kubectl, while it deploys: the rights for that. Pure.

Each is a line of `beside`, `standing`, `vault.connection`, `vault.tunnel` or `platform.seal`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from garrison import defaults as d
from garrison.cluster import Issuer
from garrison.deployment import derived
from garrison.deployment.platform.store_config import ADMIN
from garrison.deployment.standing import TRUST_API
from garrison.settings import Settings
from garrison.words import Ref
from garrison_stack.right import Right
from garrison_stack.whole import Whole

ADMISSION: Final = "admissionregistration.k8s.io"


def asked(what: Whole, *, logs_in: bool) -> Iterator[Right]:
    """Everything that is asked before and between what is made."""
    yield Right("", ADMISSION, "validatingadmissionpolicies", "list")
    yield Right("", "", "namespaces", "list")
    yield from _standing(what.settings)
    yield from _stores(what, logs_in=logs_in)
    for step in what.platform:
        if step.key:
            yield from _key(step.key.namespace, step.key.seal_key)


def seen(settings: Settings) -> Iterator[Right]:
    """What is noticed at preview, and without it only later: that cert-manager may not approve for an issuer."""
    hosts = settings.cluster.entrance.issuer
    if (settings.issuer or hosts) and not settings.install_cert_manager:
        yield Right("", "authorization.k8s.io", "subjectaccessreviews", "create")


def _standing(settings: Settings) -> Iterator[Right]:
    """What is looked for because it is not made here."""
    hosts = settings.cluster.entrance.issuer
    for said in (settings.issuer, hosts):
        if said is None:
            continue
        issuer = Issuer.of(said)
        home = "" if issuer.everywhere else d.EDGE.namespace
        yield Right(home, issuer.group, issuer.resource, "get", issuer.name)
    if settings.issuer is not None and settings.trust_ca is None:
        yield Right("", TRUST_API, "bundles", "get", d.TRUST_BUNDLE)
    if settings.issuer is None and not settings.install_trust_manager:
        yield Right("", "apps", "deployments", "list")


def _stores(what: Whole, *, logs_in: bool) -> Iterator[Right]:
    """A token of the account that enters, and a tunnel where there is no address."""
    graph, settings, store = what.estate.graph, what.settings, what.estate.cluster.store
    kept, people = derived.secrets(graph, what.estate.cluster), derived.users(graph, what.estate.cluster)
    if kept.objects or kept.generated or settings.generated_secrets:
        if logs_in:
            yield _token(Ref.parse(store.deployer))
        if store.namespace and not settings.openbao_address:
            service = Ref(store.namespace, store.host.partition(".")[0])
            yield from _tunnel(service, trusted=bool(settings.openbao_ca or settings.store_ca))
    if people.objects:
        yield _token(Ref(d.USERS.namespace, ADMIN))
        yield from _tunnel(d.USERS, trusted=False)


def _token(account: Ref) -> Right:
    return Right(account.namespace, "", "serviceaccounts/token", "create", account.name)


def _tunnel(service: Ref, *, trusted: bool) -> Iterator[Right]:
    space = service.namespace
    yield Right(space, "", "services", "get", service.name)
    for verb in ("get", "list"):
        yield Right(space, "", "pods", verb)
    for verb in ("get", "create"):  # by websocket, and before that by POST
        yield Right(space, "", "pods/portforward", verb)
    if not trusted:
        yield Right(space, "", "configmaps", "get", d.TRUST_BUNDLE)


def _key(space: str, name: str) -> Iterator[Right]:
    """Made by POST, whose `create` has no name."""
    yield Right(space, "", "secrets", "create")
    for verb in ("get", "patch", "delete"):
        yield Right(space, "", "secrets", verb, name)
