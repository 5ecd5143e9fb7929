"""Replicas: more than one of each, and not all of them on one node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from garrison.findings import Severity
from garrison_policies.language.expr import get
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.rule import Hit, Rule
from garrison_policies.language.selectors import selects
from garrison_policies.language.workloads import autoscalers, fewest, namespace, pod_labels, replicas, scalable
from garrison_policies.rules.manifests import deployment

ENOUGH = 2  # one may go away, for an upgrade of its node or by an accident, and one answers


def too_few(inventory: Inventory) -> Iterator[Hit]:
    scaled = autoscalers(inventory)
    for item in scalable(inventory):
        found = replicas(item, scaled)
        if found is None or found < ENOUGH:
            yield item, "spec.replicas", f"it has {found if found is not None else 1}, and is gone when that one is"
    for item in inventory.of("HorizontalPodAutoscaler"):
        if fewest(item) < ENOUGH:
            yield item, "spec.minReplicas", f"it goes down to {fewest(item)}"


def not_spread(inventory: Inventory) -> Iterator[Hit]:
    scaled = autoscalers(inventory)
    for item in scalable(inventory):
        found = replicas(item, scaled)
        # A workload that says it is one has nothing to spread; where nothing is said an autoscaler may come.
        if (found is None or found >= ENOUGH) and not _spreads(item):
            yield item, f"{item.template_path}.spec.affinity", "all of its replicas may run on one node"


def _spreads(item: Object) -> bool:
    """Whether a constraint keeps the pods apart: one that is for these pods, in their own namespace."""
    labels = pod_labels(item) or {}
    return any(
        term.get("topologyKey") and selects(term["labelSelector"], labels) and _reaches(term, item)
        for term in _terms(item.template or {})
        if isinstance(term.get("labelSelector"), Mapping)  # without one a constraint is for no pod at all
    )


def _terms(pod: Any) -> Iterator[Mapping[str, Any]]:
    """Every constraint that has a label selector and a topology."""
    apart = get(pod, "spec.affinity.podAntiAffinity")
    for term in _listed(apart, "preferredDuringSchedulingIgnoredDuringExecution"):
        yield from (inner for inner in [term.get("podAffinityTerm")] if isinstance(inner, Mapping))
    yield from _listed(apart, "requiredDuringSchedulingIgnoredDuringExecution")
    yield from _listed(pod, "spec.topologySpreadConstraints")


def _listed(value: Any, path: str) -> Iterator[Mapping[str, Any]]:
    found = get(value, path)
    yield from (one for one in found if isinstance(one, Mapping)) if isinstance(found, list) else ()


def _reaches(term: Mapping[str, Any], item: Object) -> bool:
    """Whether the term looks at the workload's own namespace, as it does when it names none."""
    named = term.get("namespaces")
    return "namespaceSelector" in term or not named or namespace(item) in named


_SPREAD = (
    ", topologySpreadConstraints: [{maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule,"
    " labelSelector: {matchLabels: {app: orders}}}]"
)

RULES = (
    Rule(
        id="single-replica",
        title="a workload has more than one replica",
        severity=Severity.LOW,
        remedy="write replicas: 2 or more, or minReplicas in its autoscaler",
        controls=("avail.replicas",),
        references=("Kubernetes, Disruptions",),
        look=too_few,
        good=deployment(spec=", replicas: 2"),
        bad=deployment(spec=", replicas: 1"),
    ),
    Rule(
        id="replicas-not-spread",
        title="the replicas of a workload are spread over nodes",
        severity=Severity.LOW,
        remedy="add a topologySpreadConstraint or podAntiAffinity over kubernetes.io/hostname that selects these pods",
        controls=("avail.anti_affinity",),
        references=("Kubernetes, Pod Topology Spread Constraints",),
        look=not_spread,
        good=deployment(spec=", replicas: 2", pod=_SPREAD),
        bad=deployment(spec=", replicas: 2"),
    ),
)
