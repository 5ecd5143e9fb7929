"""Everything that one App is on one cluster, as values, before any of it is made. Pure but for helm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from garrison import places
from garrison.declare.app import App
from garrison.deployment import derived
from garrison.deployment.derived import Derived
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
    relied: tuple[str, ...] = ()
    """Admission policies that another App's stack makes."""

    @property
    def users(self) -> bool:
        """Whether the estate has people of its own."""
        return self.estate.graph.embedded_issuer is not None

    def steps(self) -> list[plan.Step]:
        """All objects in one order: what Pulumi does by parts and parents, for whoever has but one list."""
        policies = tuple(item for item in self.admission if not item["kind"].endswith("Binding"))
        bindings = tuple(item for item in self.admission if item["kind"].endswith("Binding"))
        guards = [plan.Step("admission-policies", policies), plan.Step("admission", bindings, ("admission-policies",))]
        platform = [step if step.after else replace(step, after=("admission",)) for step in self.platform]
        used = {name for step in platform for name in step.after}
        ready = tuple(step.name for step in platform if step.name not in used) or ("admission",)
        return _without_empty([*guards, *platform, *_estate(self.estate, ready)])


def _estate(what: Derived, ready: tuple[str, ...]) -> Iterator[plan.Step]:
    stages = derived.stages(what.graph, what.manifests)
    yield plan.Step("estate-guards", stages.guards, ready)
    yield plan.Step("estate-databases", stages.databases, ("estate-guards",))
    yield plan.Step("estate-entrances", stages.entrances, ("estate-guards",), awaited=False)
    yield plan.Step("estate-workloads", stages.workloads, ("estate-databases",))
    yield plan.Step("estate-jobs", stages.jobs, ("estate-workloads",))


def _without_empty(steps: Sequence[plan.Step]) -> list[plan.Step]:
    """Whoever waited for a step without objects waits for what that one waited for."""
    made: list[plan.Step] = []
    instead: dict[str, tuple[str, ...]] = {}
    for step in steps:
        after = tuple(name for wanted in step.after for name in instead.get(wanted, (wanted,)))
        if step.items:
            made.append(replace(step, after=after))
        else:
            instead[step.name] = after
    return made


def whole(app: App | Graph, settings: Settings, adjust: Adjust | None = None, exceptions: Path | None = None) -> Whole:
    """Raises a GarrisonError with everything that is wrong, and has then made nothing."""
    estate = derived.derived(app, settings.cluster, adjust)
    users = estate.graph.embedded_issuer is not None
    more: dict[str, Any] = {
        "also": signed.load(settings.signed_images),
        "exceptions": load_exceptions(exceptions or places.exceptions()),
        "platform": plan.namespaces(settings, users=users),
    }
    shared = admission.of_the_cluster(settings.cluster, **more)
    guards = admission.of_the_estate(estate.graph, settings.cluster, **more)
    steps = plan.steps(settings, image=dict(estate.graph.images)["openbao"], users=users)
    if settings.install_admission:
        return Whole(settings, (*shared, *guards), tuple(steps), estate)
    return Whole(settings, tuple(guards), tuple(steps), estate, tuple(item["metadata"]["name"] for item in shared))
