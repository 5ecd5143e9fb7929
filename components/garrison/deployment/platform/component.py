"""The platform as one Pulumi component, in the order in which its parts need each other."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi

from garrison import defaults as d
from garrison.deployment.derived import lasting
from garrison.deployment.objects import kubernetes_object, two_clusters
from garrison.deployment.platform import plan
from garrison.deployment.platform.seal import SealKey
from garrison.deployment.vault import StoreConnection
from garrison.manifest import Manifest, identity
from garrison.settings import Settings, SettingsError


class Platform(pulumi.ComponentResource):
    """cert-manager, trust-manager, the root of trust and the secret store, as far as the settings ask for them.

    With `users`, the embedded issuer as well: an OpenBao of its own (`Graph.embedded_issuer` says whether one is
    wanted). `store` and `users` are how to reach the two. Whatever depends on the component starts when all of it is
    ready. What cannot be made is refused before anything is registered; what holds data is protected (`keepData`).

    steps: what `plan.steps` gave for the same settings, where it was asked before.
    """

    store: StoreConnection
    users: StoreConnection | None

    def __init__(
        self,
        settings: Settings,
        *,
        image: str,
        users: bool = False,
        steps: Sequence[plan.Step] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        made = plan.steps(settings, image=image, users=users) if steps is None else steps
        keys = "the seal key" if plan.installed(settings, users=users) else ""
        if found := list(two_clusters(opts, keys)):
            raise SettingsError(found)
        super().__init__("garrison:index:Platform", "platform", None, opts)
        self.store = connection(settings)
        self.users = StoreConnection.to(d.USERS) if users else None
        items = [item for step in made for item in step.items]
        self._lasting = lasting(items) if settings.keep_data else frozenset()
        self._keep = True if settings.keep_data else None
        self._ready: dict[str, list[pulumi.Resource]] = {}
        for step in made:
            self._make(step)
        self.register_outputs({})

    def _make(self, step: plan.Step) -> None:
        after: list[pulumi.Resource] = [resource for name in step.after for resource in self._ready[name]]
        if step.key:
            opts = pulumi.ResourceOptions(parent=self, depends_on=[*after], protect=self._keep)
            after.append(SealKey(step.key.namespace, step.key.seal_key, opts))
        self._ready[step.name] = [self._object(item, after) for item in step.items]

    def _object(self, item: Manifest, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        protect = self._keep if identity(item) in self._lasting else None
        return kubernetes_object(item, pulumi.ResourceOptions(parent=self, depends_on=[*after], protect=protect))


def connection(settings: Settings) -> StoreConnection:
    """How Pulumi, or whoever does without it, reaches the secret store."""
    ca = settings.openbao_ca or settings.store_ca
    return StoreConnection.at(settings.store, settings.openbao_address, str(ca) if ca else None)
