"""Disruption budgets: every workload of several replicas has one, and it lets a node be drained."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from garrison.findings import Severity
from garrison_policies.language.expr import MISSING, Either, Is, Matches, Not, Present, get
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.rule import Check, Hit, Rule, Subject
from garrison_policies.language.selectors import Json, Selectors, is_empty
from garrison_policies.language.workloads import (
    autoscalers,
    namespace,
    pod_labels,
    pods_by_label,
    replicas,
    scalable,
)
from garrison_policies.rules.manifests import deployment, manifests

BUDGETS = Subject(kinds=("PodDisruptionBudget",))


def selector(budget: Object) -> Json | None:
    """Whom it is for: no selector, nobody; in policy/v1beta1, an empty one was nobody too."""
    found = get(budget.body, "spec.selector")
    if not isinstance(found, dict) or (budget.api_version == "policy/v1beta1" and is_empty(found)):
        return None
    return found


def without_budget(inventory: Inventory) -> Iterator[Hit]:
    budgets = Selectors(
        (namespace(budget), chosen, budget)
        for budget in inventory.of("PodDisruptionBudget")
        if (chosen := selector(budget)) is not None
    )
    scaled = autoscalers(inventory)
    for item in scalable(inventory):
        found = replicas(item, scaled)
        # For a workload that says it is one a budget can only block; where nothing is said an autoscaler may come.
        if found is not None and found < 2:
            continue
        if next(budgets.matching(namespace(item), pod_labels(item) or {}), None) is None:
            yield item, "metadata.labels", "no disruption budget selects its pods"


def blocking(inventory: Inventory) -> Iterator[Hit]:
    """Budgets that, with the replicas there are at the least, never let one go; and the workloads they hold."""
    pods, scaled = pods_by_label(inventory), autoscalers(inventory)
    for budget in inventory.of("PodDisruptionBudget"):
        chosen, low = selector(budget), get(budget.body, "spec.minAvailable")
        if chosen is None or low is MISSING:
            continue
        for item in pods.matching(namespace(budget), chosen):
            found = replicas(item, scaled)
            if found and needed(low, found) >= found:
                yield budget, "spec.minAvailable", f"{item} has {found} at the least, and none of them may go"
                yield item, "spec.replicas", f"{budget} lets none of {found} go"


def needed(low: Any, found: int) -> int:
    """How many pods a minAvailable is; a percentage is rounded up, as the disruption controller does."""
    text = str(low)
    if text.endswith("%"):
        return math.ceil(found * float(text[:-1]) / 100) if _short(text[:-1]) else 0
    return int(text) if _short(text) else 0


def _short(text: str) -> bool:
    """Whether it is a number that Python reads, too: not of signs like a raised 2, nor of thousands of digits."""
    return text.isdecimal() and len(text) < 10


def _budget(spec: str) -> str:
    return f"""
        apiVersion: policy/v1
        kind: PodDisruptionBudget
        metadata: {{name: orders, namespace: shop}}
        spec: {{selector: {{matchLabels: {{app: orders}}}}{spec}}}
    """


_TWO = deployment(spec=", replicas: 2")

RULES = (
    Rule(
        id="disruption-budget-missing",
        title="a disruption budget selects every workload of several replicas",
        severity=Severity.LOW,
        remedy="add a PodDisruptionBudget with maxUnavailable: 1 for its labels",
        controls=("avail.pdb",),
        references=("Kubernetes, Disruptions",),
        look=without_budget,
        good=manifests(_TWO, _budget(", maxUnavailable: 1")),
        bad=manifests(_TWO),
    ),
    Rule(
        id="disruption-budget-closed",
        title="a disruption budget says what may be away, and it is not nothing",
        severity=Severity.MEDIUM,
        remedy="write maxUnavailable: 1: a node that cannot be drained is a node that is not patched",
        controls=("avail.pdb",),
        references=("Kubernetes, Disruptions",),
        checks=(
            Check(
                subject=BUDGETS,
                at="spec",
                require=Either(Present("spec.maxUnavailable"), Present("spec.minAvailable")),
            ),
            Check(
                subject=BUDGETS,
                at="spec.maxUnavailable",
                require=Not(Either(Is("spec.maxUnavailable", (0,)), Matches("spec.maxUnavailable", "^0+%?$"))),
            ),
            Check(
                subject=BUDGETS,
                at="spec.minAvailable",
                require=Not(Matches("spec.minAvailable", "^[1-9][0-9][0-9]+%$")),
            ),
        ),
        good=_budget(", maxUnavailable: 1"),
        bad=_budget(", maxUnavailable: 0"),
    ),
    Rule(
        id="disruption-budget-blocks",
        title="a disruption budget asks for fewer replicas than there are",
        severity=Severity.MEDIUM,
        remedy="write maxUnavailable: 1 instead of minAvailable: it stays right when the replicas change",
        controls=("avail.pdb",),
        references=("Kubernetes, Disruptions",),
        look=blocking,
        good=manifests(_TWO, _budget(", minAvailable: 1")),
        bad=manifests(_TWO, _budget(", minAvailable: 2")),
    ),
)
