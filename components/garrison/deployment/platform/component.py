"""The platform as one Pulumi component, in the order in which its parts need each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import pulumi

from garrison import defaults as d
from garrison.deployment.emit import kubernetes_object
from garrison.deployment.platform import certificates, charts, network, openbao
from garrison.deployment.platform.objects import namespace
from garrison.deployment.platform.seal import SealKey
from garrison.deployment.vault import StoreConnection
from garrison.manifest import Manifest
from garrison.settings import Settings


def platform_namespaces(settings: Settings, *, users: bool = False) -> list[str]:
    """The namespaces of what the settings ask for; what stands already is somebody else's."""
    wanted = {
        certificates.NAMESPACE: settings.install_cert_manager,
        openbao.SECRETS.namespace: settings.install_openbao,
        openbao.USERS.namespace: users,
    }
    return [name for name, installed in wanted.items() if installed]


class Platform(pulumi.ComponentResource):
    """cert-manager, trust-manager, the root of trust and the secret store, as far as the settings ask for them.

    With `users`, the embedded issuer as well: an OpenBao of its own (`Graph.embedded_issuer` says whether one is
    wanted). `store` and `users` are how to reach the two. Whatever depends on the component starts when all of it is
    ready.
    """

    store: StoreConnection
    users: StoreConnection | None

    def __init__(
        self, settings: Settings, *, image: str, users: bool = False, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("garrison:index:Platform", "platform", None, opts)
        self.store = _connection(settings)
        self.users = StoreConnection.to(d.USERS) if users else None
        self._homes: dict[str, pulumi.Resource] = {}
        issuing = self._certificates(settings)
        self._trust(settings, after=issuing)
        if settings.install_openbao:
            self._server(openbao.SECRETS, network.openbao, settings, image, after=issuing)
        if users:
            self._server(openbao.USERS, network.users, settings, image, after=issuing)
        self.register_outputs({})

    def _certificates(self, settings: Settings) -> list[pulumi.Resource]:
        ready: list[pulumi.Resource] = []
        if settings.install_cert_manager and settings.charts:
            guards = self._guarded("cert-manager", network.cert_manager(settings.cluster.api_server_ranges))
            ready = self._emit(
                charts.render(certificates.cert_manager(settings.cluster.issuer), settings.charts), after=guards
            )
        if settings.issuer is None:
            ready += self._chain(certificates.root(), after=ready)
        return ready

    def _trust(self, settings: Settings, *, after: Sequence[pulumi.Resource]) -> None:
        ready = [*after]
        if settings.install_trust_manager and settings.charts:
            guards = self._emit(network.trust_manager(settings.cluster.api_server_ranges), after=after)
            ready += self._emit(charts.render(certificates.TRUST_MANAGER, settings.charts), after=[*after, *guards])
        if settings.issuer is None:
            self._emit([certificates.bundle()], after=ready)

    def _server(
        self,
        server: openbao.Server,
        policies: Callable[[Sequence[str]], Iterable[Manifest]],
        settings: Settings,
        image: str,
        *,
        after: Sequence[pulumi.Resource],
    ) -> None:
        guards = self._guarded(server.namespace, policies(settings.cluster.api_server_ranges))
        opts = pulumi.ResourceOptions(parent=self, depends_on=guards)
        key = SealKey(server.namespace, server.seal_key, opts)
        parts = self._emit(openbao.before(server, settings.cluster.issuer), after=[*after, *guards])
        pods = openbao.stateful_set(server, image, settings.openbao_storage, settings.storage_class)
        # together: the Service is ready when the server stands behind it
        self._emit([openbao.service(server), pods], after=[key, *parts])

    def _guarded(self, name: str, policies: Iterable[Manifest]) -> list[pulumi.Resource]:
        """A namespace that is closed before the first pod is in it."""
        self._homes[name] = kubernetes_object(namespace(name), pulumi.ResourceOptions(parent=self))
        return [self._homes[name], *self._emit(policies, after=[])]

    def _emit(self, manifests: Iterable[Manifest], *, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        return [self._object(item, after) for item in manifests]

    def _chain(self, manifests: Iterable[Manifest], *, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """One after the other: each needs the one before it."""
        made: list[pulumi.Resource] = []
        for item in manifests:
            made.append(self._object(item, [*after, *made]))
        return made

    def _object(self, item: Manifest, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        home = self._homes.get(item["metadata"].get("namespace", ""))
        depends = [*([home] if home else []), *after]
        return kubernetes_object(item, pulumi.ResourceOptions(parent=self, depends_on=depends))


def _connection(settings: Settings) -> StoreConnection:
    ca_file = str(settings.openbao_ca) if settings.openbao_ca else None
    return StoreConnection(
        namespace=d.STORE_NAMESPACE, audience=d.STORE_AUDIENCE, address=settings.openbao_address, ca_file=ca_file
    )
