"""RBAC, roles and bindings together: to whom a role that should not be given away is given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from garrison.findings import Severity
from garrison_policies.language.expr import Predicate, get
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.rule import Hit, Look, Rule
from garrison_policies.language.selectors import selects
from garrison_policies.language.workloads import namespace
from garrison_policies.rules.builtin import BUILT_IN
from garrison_policies.rules.manifests import manifests
from garrison_policies.rules.powers import (
    BECOMES_ANOTHER,
    CREATES_PODS,
    ESCALATES,
    EVERYTHING,
    EXECUTES,
    RBAC,
    READS_SECRETS,
)

Named = tuple[str, str, str]  # kind, namespace (none for a ClusterRole) and name of a role


def bound_to(gives: Predicate, what: str) -> Look:
    """Finds the bindings of roles in which some rule satisfies `gives`."""

    def look(inventory: Inventory) -> Iterator[Hit]:
        giving = {name for name, rules in roles(inventory) if any(gives.holds(rule, rule) for rule in rules)}
        for binding in inventory.of("RoleBinding", "ClusterRoleBinding"):
            if get(binding.body, "subjects") and (name := _bound(binding)) in giving:
                yield binding, "roleRef", f"{name[0]} {name[2]} {what}"

    return look


def _bound(binding: Object) -> Named:
    kind, name = str(get(binding.body, "roleRef.kind")), str(get(binding.body, "roleRef.name"))
    return kind, namespace(binding) if kind == "Role" else "", name


def roles(inventory: Inventory) -> Iterator[tuple[Named, list[Any]]]:
    """Every role with its rules, those it aggregates from other roles included, and what they make together."""
    for role in inventory.of("Role"):
        yield ("Role", namespace(role), role.name), together(_rules(role))
    written = list(inventory.of("ClusterRole"))
    known = {role.name for role in written}
    everywhere = [*(role for role in BUILT_IN if role.name not in known), *written]
    for role in everywhere:
        yield ("ClusterRole", "", role.name), together(_with_aggregated(role, everywhere, set()))


def _with_aggregated(role: Object, others: list[Object], seen: set[Object]) -> list[Any]:
    """Its rules and those of the roles it selects, which may select others in their turn."""
    seen.add(role)
    chosen = get(role.body, "aggregationRule.clusterRoleSelectors")
    rules = list(_rules(role))
    for selector in chosen if isinstance(chosen, list) else ():
        for part in others if isinstance(selector, Mapping) else ():
            if part not in seen and selects(selector, part.labels):
                rules += _with_aggregated(part, others, seen)
    return rules


def together(rules: list[Any]) -> list[Any]:
    """The rules, and what those for every resource allow between them: everything may be said in pieces."""
    wide = [rule for rule in rules if "*" in _words(rule, "resources") and not _words(rule, "resourceNames")]
    anywhere, core, rbac = (
        {verb for rule in wide if {"*", group} & _words(rule, "apiGroups") for verb in _words(rule, "verbs")}
        for group in ("*", "", RBAC)
    )
    both = core if "*" in rbac else rbac if "*" in core else core & rbac
    return [
        *rules,
        {"apiGroups": ["*"], "resources": ["*"], "verbs": sorted(anywhere)},
        {"apiGroups": ["", RBAC], "resources": ["*"], "verbs": sorted(both)},
    ]


def _words(rule: Any, key: str) -> set[str]:
    found = get(rule, key)
    return {str(one) for one in found} if isinstance(found, list) else set()


def _rules(role: Object) -> list[Any]:
    found = role.body.get("rules")
    return found if isinstance(found, list) else []


def _given(rule: str) -> str:
    return manifests(
        f"""
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {{name: orders, namespace: shop}}
        rules: [{{{rule}}}]
        """,
        """
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: orders, namespace: shop}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: orders}
        subjects: [{kind: ServiceAccount, name: orders, namespace: shop}]
        """,
    )


_HARMLESS = _given('apiGroups: [""], resources: [configmaps], resourceNames: [orders], verbs: [get]')

RULES = (
    Rule(
        id="bound-to-everything",
        title="nobody is bound to a role that allows everything",
        severity=Severity.CRITICAL,
        remedy="bind a role that names what is needed: under another name it is cluster-admin all the same",
        controls=("rbac.cluster_admin",),
        references=("CIS 5.1.1", "NSA authentication and authorization", "OWASP K03"),
        look=bound_to(EVERYTHING, "allows everything"),
        good=_HARMLESS,
        bad=_given('apiGroups: ["*"], resources: ["*"], verbs: ["*"]'),
    ),
    Rule(
        id="bound-to-secrets",
        title="nobody is bound to a role that reads all secrets",
        severity=Severity.HIGH,
        remedy="name the secrets in the role's resourceNames",
        controls=("rbac.secrets_read",),
        references=("CIS 5.1.2", "NSA authentication and authorization", "OWASP K03", "OWASP K08"),
        look=bound_to(READS_SECRETS, "reads all secrets"),
        good=_HARMLESS,
        bad=_given('apiGroups: [""], resources: [secrets], verbs: [get]'),
    ),
    Rule(
        id="bound-to-exec",
        title="nobody is bound to a role that runs commands in pods",
        severity=Severity.HIGH,
        remedy="bind it for the time of an incident only, and say so in an exception with an owner",
        controls=("rbac.exec",),
        references=("CIS 5.1.10", "NSA authentication and authorization", "OWASP K03"),
        look=bound_to(EXECUTES, "runs commands in pods"),
        good=_HARMLESS,
        bad=_given('apiGroups: [""], resources: [pods/exec], verbs: [create]'),
    ),
    Rule(
        id="bound-to-escalation",
        title="nobody is bound to a role that binds, escalates or impersonates",
        severity=Severity.CRITICAL,
        remedy="give the rights themselves to who needs them",
        controls=("rbac.escalation",),
        references=("CIS 5.1.8", "NSA authentication and authorization", "OWASP K03"),
        look=bound_to(ESCALATES, "binds, escalates or impersonates"),
        good=_HARMLESS,
        bad=_given("apiGroups: [''], resources: [users], verbs: [impersonate]"),
    ),
    Rule(
        id="bound-to-another",
        title="nobody is bound to a role that requests tokens of any service account or approves client certificates",
        severity=Severity.HIGH,
        remedy="name the service accounts in resourceNames; leave approval to the cluster's own controllers",
        controls=("rbac.escalation",),
        references=("CIS 5.1.11", "CIS 5.1.13", "NSA authentication and authorization", "OWASP K03"),
        look=bound_to(BECOMES_ANOTHER, "becomes another"),
        good=_HARMLESS,
        bad=_given('apiGroups: [""], resources: [serviceaccounts/token], verbs: [create]'),
    ),
    Rule(
        id="bound-to-pods",
        title="nobody is bound to a role that creates pods",
        severity=Severity.MEDIUM,
        remedy="leave it to the pipeline, and say so in an exception with an owner",
        controls=("rbac.create_pods",),
        references=("CIS 5.1.4", "NSA authentication and authorization", "OWASP K03"),
        look=bound_to(CREATES_PODS, "creates pods"),
        good=_HARMLESS,
        bad=_given('apiGroups: [""], resources: [pods], verbs: [create]'),
    ),
)
