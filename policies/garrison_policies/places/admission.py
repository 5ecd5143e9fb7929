"""The rules at admission: ValidatingAdmissionPolicies in CEL, evaluated inside the API server.

There is no webhook, so nothing has to run for a bad object to be refused: the API server does not serve a
request before its policies are loaded, and every policy has `failurePolicy: Fail`. One policy and one
binding for each family of kinds, one validation for each rule in it, so that a refusal names the rule.

Kubernetes keeps some doors open, and so must this (`unread`): the last finalizer of an object on its way out, changes
that leave the spec of a workload as it is (its status, labels and finalizers belong to controllers), the number of a
ReplicaSet that is wound down, and what the API server and its role aggregation write for themselves. Namespaces of the
system are left out by name, never by a label that whoever makes a namespace could set.

Sources: Kubernetes, "Validating Admission Policy"; CIS Kubernetes Benchmark 5.2; NSA/CISA Hardening Guide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from garrison.defaults import DEPLOYERS, SYSTEM_NAMESPACES
from garrison.derive.names import CERTIFICATES
from garrison_policies.exceptions.exempt import covered
from garrison_policies.exceptions.file import PolicyException
from garrison_policies.language.expr import at, literal
from garrison_policies.language.objects import TEMPLATES
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import WORKLOADS
from garrison_policies.places.policy import Mode, Resources, binding, namespaces, policy
from garrison_policies.places.unread import COUNTED, ITS_OWN, LEAVING, SPEC_CHANGED, of_the_proof
from garrison_policies.places.within import EVERYWHERE, Within

RBAC = "rbac.authorization.k8s.io"

_ELSEWHERE = {kind: path for kind, path in TEMPLATES.items() if path != "spec.template"}
POD_TEMPLATE = " : ".join(
    [*(f"object.kind == '{kind}' ? {at('object', path)}" for kind, path in _ELSEWHERE.items()), "object.spec.template"]
)


@dataclass(frozen=True, kw_only=True)
class Family:
    """Kinds that share a policy: where the API server serves them, and what lets a request pass unread.

    They have the fields in common that rules read, so that the API server's own type check has nothing to report.
    """

    name: str
    kinds: tuple[str, ...]
    resources: tuple[Resources, ...]
    conditions: tuple[dict[str, str], ...] = (LEAVING,)


FAMILIES = (
    Family(
        name="workloads",
        kinds=WORKLOADS,
        resources=(
            ("", "v1", ("pods", "pods/ephemeralcontainers", "podtemplates", "replicationcontrollers")),
            ("apps", "v1", ("deployments", "replicasets", "statefulsets", "daemonsets")),
            ("batch", "v1", ("jobs", "cronjobs")),
        ),
        conditions=(LEAVING, SPEC_CHANGED, COUNTED),
    ),
    Family(
        name="roles",
        kinds=("Role", "ClusterRole"),
        resources=((RBAC, "v1", ("roles", "clusterroles")),),
        conditions=(LEAVING, ITS_OWN),
    ),
    Family(
        name="bindings",
        kinds=("RoleBinding", "ClusterRoleBinding"),
        resources=((RBAC, "v1", ("rolebindings", "clusterrolebindings")),),
        conditions=(LEAVING, ITS_OWN),
    ),
    Family(name="namespaces", kinds=("Namespace",), resources=(("", "v1", ("namespaces",)),)),
    Family(name="service-accounts", kinds=("ServiceAccount",), resources=(("", "v1", ("serviceaccounts",)),)),
    Family(name="configuration", kinds=("ConfigMap",), resources=(("", "v1", ("configmaps",)),)),
    Family(name="services", kinds=("Service",), resources=(("", "v1", ("services",)),)),
    Family(
        name="network-policies",
        kinds=("NetworkPolicy",),
        resources=(("networking.k8s.io", "v1", ("networkpolicies",)),),
    ),
    Family(name="ingresses", kinds=("Ingress",), resources=(("networking.k8s.io", "v1", ("ingresses",)),)),
    Family(
        name=CERTIFICATES,
        kinds=("Certificate",),
        resources=(("cert-manager.io", "v1", ("certificates",)),),
    ),
    Family(
        name="issuers",
        kinds=("Issuer", "ClusterIssuer"),
        resources=(("cert-manager.io", "v1", ("issuers", "clusterissuers")),),
    ),
    Family(
        name="availability",
        kinds=("PodDisruptionBudget",),
        resources=(("policy", "v1", ("poddisruptionbudgets",)),),
    ),
)


def enforced(rules: Iterable[Rule]) -> list[Rule]:
    """The rules whose every check the API server can make, on kinds that a family covers."""
    known = {kind for family in FAMILIES for kind in family.kinds}
    return [rule for rule in rules if rule.at_admission and all(known & set(c.subject.kinds) for c in rule.checks)]


def manifests(
    rules: Iterable[Rule],
    *,
    exceptions: Sequence[PolicyException] = (),
    mode: Mode = "deny",
    system_namespaces: Sequence[str] = SYSTEM_NAMESPACES,
    deployers: Sequence[str] = DEPLOYERS,
    within: Within | None = None,
    families: Callable[[str], bool] = lambda _: True,
) -> list[dict[str, Any]]:
    """Every policy with its binding, of those families.

    `mode` "warn" lets everything through and tells the client and the audit log what would be refused: for the first
    days on a cluster that already runs something. The default refuses. `system_namespaces` are not looked at.
    `within` narrows the rules to namespaces, but for what is said of identities.
    `deployers` (`user:NAME`, `group:NAME`) run the proof, which shows what a certificate of a foreign domain can do.
    """
    chosen, made = enforced(rules), []
    for family in (one for one in FAMILIES if families(one.name)):
        validations = [
            validation(rule, check, family, exceptions)
            for rule in chosen
            for check in rule.checks
            if set(check.subject.kinds) & set(family.kinds)
        ]
        if validations:
            made += _bound(family, validations, mode, system_namespaces, deployers, within)
    return made


def _bound(
    family: Family,
    validations: list[dict[str, str]],
    mode: Mode,
    system: Sequence[str],
    deployers: Sequence[str],
    within: Within | None,
) -> list[dict[str, Any]]:
    if within is None or family.name in EVERYWHERE:
        return [_policy(family, family.name, validations, system, deployers), binding(family.name, mode)]
    mine = replace(family, conditions=(*family.conditions, *within.conditions(family.kinds)))
    return [
        _policy(mine, within.name(family.name), validations, system, deployers),
        *within.bindings(family.name, mode),
    ]


def validation(rule: Rule, check: Check, family: Family, exceptions: Sequence[PolicyException]) -> dict[str, str]:
    """One rule as one validation: it holds, or the object is not of its kinds, or an exception covers it."""
    ways = [check.cel()]
    if not set(family.kinds) <= set(check.subject.kinds):
        ways.insert(0, f"!(object.kind in {literal(list(check.subject.kinds))})")
    ways += [covered(one) for one in exceptions if one.rule == rule.id and one.kind in family.kinds]
    return {
        "expression": " || ".join(ways),
        "message": f"{rule.id}: required: {rule.title}; {rule.remedy}",
        "reason": "Forbidden",
    }


def _policy(
    family: Family, name: str, validations: list[dict[str, str]], system: Sequence[str], deployers: Sequence[str]
) -> dict[str, Any]:
    variables = [{"name": "pod", "expression": POD_TEMPLATE}] if family.kinds == WORKLOADS else []
    proof = [of_the_proof(deployers)] if family.kinds == ("Certificate",) else []
    return policy(
        name,
        family.resources,
        validations,
        selector=namespaces("NotIn", system),
        conditions=[*family.conditions, *proof],
        variables=variables,
    )
