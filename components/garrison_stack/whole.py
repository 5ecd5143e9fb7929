"""Everything that one App is on one cluster, as values, before any of it is made. Pure but for helm."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from garrison import places
from garrison.declare.app import App
from garrison.deployment.derived import Derived, derived
from garrison.deployment.platform import plan
from garrison.derive.adjustment import Adjust
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.settings import Settings
from garrison_policies.exceptions.file import load_exceptions
from garrison_policies.places import signed
from garrison_policies.places import whole as admission


@dataclass(frozen=True)
class Whole:
    """What is made, in this order: who guards, what it stands on, and the estate."""

    settings: Settings
    admission: tuple[Manifest, ...]
    platform: tuple[plan.Step, ...]
    estate: Derived

    @property
    def users(self) -> bool:
        """Whether the estate has people of its own."""
        return self.estate.graph.embedded_issuer is not None


def whole(app: App | Graph, settings: Settings, adjust: Adjust | None = None, exceptions: Path | None = None) -> Whole:
    """Raises a GarrisonError with everything that is wrong, and has then made nothing."""
    estate = derived(app, settings.cluster, adjust)
    users = estate.graph.embedded_issuer is not None
    guards = admission.manifests(
        estate.graph,
        settings.cluster,
        also=signed.load(settings.signed_images),
        exceptions=load_exceptions(exceptions or places.exceptions()),
        platform=plan.namespaces(settings, users=users),
    )
    steps = plan.steps(settings, image=dict(estate.graph.images)["openbao"], users=users)
    return Whole(settings, tuple(guards), tuple(steps), estate)
