"""What the platform is made of, step by step, each with the steps that have to be ready before it. Pure.

Pulumi makes a resource of each object and waits; files for GitOps say the same order in their own words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from garrison.cluster import Cluster, Issuer
from garrison.deployment.platform import certificates, charts, network, openbao
from garrison.deployment.platform.objects import namespace
from garrison.manifest import Manifest
from garrison.settings import Settings


@dataclass(frozen=True)
class Step:
    """Objects that may be made together when the steps of `after` are ready."""

    name: str
    items: tuple[Manifest, ...]
    after: tuple[str, ...] = ()
    key: openbao.Server | None = None
    """The server whose unseal key has to be there first. Its value is in no file and in no state."""
    awaited: bool = True
    """Whether to wait until they are ready; nothing comes after a step that is not awaited."""


def installed(settings: Settings, *, users: bool = False) -> tuple[openbao.Server, ...]:
    """The servers that are made; what stands already is somebody else's."""
    return (*([openbao.SECRETS] if settings.install_openbao else []), *([openbao.USERS] if users else []))


def namespaces(settings: Settings, *, users: bool = False) -> list[str]:
    """The namespaces of what the settings ask for."""
    certificate = [certificates.NAMESPACE] if settings.install_cert_manager else []
    return [*certificate, *(server.namespace for server in installed(settings, users=users))]


def steps(settings: Settings, *, image: str, users: bool = False) -> list[Step]:
    """Everything, in an order in which it can be made one after the other. Runs helm, where a chart is to be rendered.

    image: OpenBao's. Raises ChartError for a chart that cannot be rendered.
    """
    made = [*_cert_manager(settings)]
    made += _root(settings, _last(made))
    issuing = _last(made)
    made += _trust(settings, issuing)
    ways = {openbao.SECRETS: network.openbao, openbao.USERS: network.users}
    for server in installed(settings, users=users):
        made += _server(server, ways[server], settings, image, issuing)
    return made


def _cert_manager(settings: Settings) -> Iterator[Step]:
    if settings.install_cert_manager and settings.charts:
        name = certificates.NAMESPACE
        yield from _guarded(name, network.cert_manager(settings.cluster))
        chart = charts.render(
            certificates.cert_manager(_issuers(settings.cluster)), settings.charts, settings.own(name)
        )
        yield Step(name, tuple(chart), (f"{name}-network",))


def _issuers(cluster: Cluster) -> list[Issuer]:
    hosts = cluster.entrance.issuer
    return [cluster.authority, *([Issuer.of(hosts)] if hosts else [])]


def _last(made: Sequence[Step]) -> tuple[str, ...]:
    return tuple(step.name for step in made[-1:])


def _root(settings: Settings, before: tuple[str, ...]) -> Iterator[Step]:
    """One after the other: each needs the one before it."""
    for number, item in enumerate(certificates.root() if settings.issuer is None else (), 1):
        yield Step(f"root-{number}", (item,), before)
        before = (f"root-{number}",)


def _trust(settings: Settings, issuing: tuple[str, ...]) -> Iterator[Step]:
    ready = issuing
    if settings.install_trust_manager and settings.charts:
        yield Step("trust-network", tuple(network.trust_manager(settings.cluster)), issuing)
        chart = charts.render(certificates.TRUST_MANAGER, settings.charts, settings.own("trust-manager"))
        yield Step("trust-manager", tuple(chart), ("trust-network",))
        ready = ("trust-manager",)
    if settings.issuer is None or settings.trust_ca:
        authorities = settings.trust_ca.read_text() if settings.trust_ca else None
        yield Step("trust-bundle", (certificates.bundle(authorities),), ready)


def _server(
    server: openbao.Server,
    policies: Callable[[Cluster], Iterable[Manifest]],
    settings: Settings,
    image: str,
    issuing: tuple[str, ...],
) -> Iterator[Step]:
    name = server.namespace
    yield from _guarded(name, policies(settings.cluster))
    parts = openbao.before(server, settings.cluster.authority)
    yield Step(f"{name}-parts", tuple(parts), (*issuing, f"{name}-network"))
    pods = openbao.stateful_set(server, image, settings.openbao_storage, settings.storage_class)
    # together: the Service is ready when the server stands behind it
    yield Step(name, (openbao.service(server), pods), (f"{name}-parts",), key=server)


def _guarded(name: str, policies: Iterable[Manifest]) -> Iterator[Step]:
    """A namespace that is closed before the first pod is in it."""
    yield Step(f"{name}-namespace", (namespace(name),))
    yield Step(f"{name}-network", tuple(policies), (f"{name}-namespace",))
