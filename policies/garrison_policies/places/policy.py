"""The shape of an admission policy and its binding: closed on failure, and bound to everything it matches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from garrison.defaults import MANAGED_BY, MANAGER, NAMESPACE_LABEL
from garrison.derive.names import admission_policy

Mode = Literal["deny", "warn"]
Resources = tuple[str, str, tuple[str, ...]]  # group, version, resources
ACTIONS: dict[Mode, list[str]] = {"deny": ["Deny", "Audit"], "warn": ["Warn", "Audit"]}
API = "admissionregistration.k8s.io/v1"
WRITES = ("CREATE", "UPDATE")


def namespaces(operator: Literal["In", "NotIn"], names: Iterable[str]) -> dict[str, Any]:
    """Selects namespaces by the label that the API server sets itself: nobody else can claim it."""
    return {"matchExpressions": [{"key": NAMESPACE_LABEL, "operator": operator, "values": sorted(names)}]}


def policy(
    name: str,
    resources: Iterable[Resources],
    validations: Sequence[Mapping[str, str]],
    *,
    selector: Mapping[str, Any],
    operations: Sequence[str] = WRITES,
    conditions: Sequence[Mapping[str, str]] = (),
    variables: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """One ValidatingAdmissionPolicy."""
    constraints = {
        "matchPolicy": "Equivalent",  # other versions of the same kind are converted, not overlooked
        "namespaceSelector": dict(selector),
        "objectSelector": {},
        "resourceRules": [_rule(row, operations) for row in resources],
    }
    spec: dict[str, Any] = {"failurePolicy": "Fail", "matchConstraints": constraints}
    spec |= {"matchConditions": [dict(one) for one in conditions]} if conditions else {}
    spec |= {"variables": [dict(one) for one in variables]} if variables else {}
    return _object("ValidatingAdmissionPolicy", name, spec | {"validations": [dict(one) for one in validations]})


def binding(name: str, mode: Mode, *, within: Mapping[str, Any] | None = None, of: str = "") -> dict[str, Any]:
    """What the policy of that name does with what it refuses.

    within: a selector of the namespaces it is bound to; None is all that the policy itself speaks of.
    of: the policy's name, where the binding has another.
    """
    spec: dict[str, Any] = {"policyName": admission_policy(of or name), "validationActions": ACTIONS[mode]}
    if within is not None:
        everything = {"matchPolicy": "Equivalent", "objectSelector": {}}
        spec["matchResources"] = everything | {"namespaceSelector": dict(within)}
    return _object("ValidatingAdmissionPolicyBinding", name, spec)


def _rule(row: Resources, operations: Sequence[str]) -> dict[str, Any]:
    group, version, resources = row
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "operations": list(operations),
        "resources": list(resources),
        "scope": "*",
    }


def _object(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": admission_policy(name), "labels": {MANAGED_BY: MANAGER}}
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}
