"""Pulumi, thin: the admission policies as one component, made before anything they should see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi

from garrison.deployment.objects import kubernetes_object, provider_of


class Admission(pulumi.ComponentResource):
    """The ValidatingAdmissionPolicies and their bindings. A binding comes after its policy, and enforces at once.

    policies: their names, by which `deploy` knows whether its estate is among what is guarded.
    provider: with which they are made; None is the default one.
    """

    policies: frozenset[str]
    provider: pulumi.ProviderResource | None

    def __init__(self, manifests: Iterable[Mapping[str, Any]], *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("garrison:index:Admission", "admission", None, opts)
        policies: dict[str, pulumi.Resource] = {}
        for item in manifests:
            policy = policies.get(item["spec"].get("policyName", ""))
            after = pulumi.ResourceOptions(parent=self, depends_on=[policy] if policy else [])
            made = kubernetes_object({**item}, after)
            policies.setdefault(item["metadata"]["name"], made)
        self.policies, self.provider = frozenset(policies), provider_of(opts)
        self.register_outputs({})
