"""RBAC, what a role gives: wildcards, secrets, a shell in a pod, and the ways from little to everything.

Most of these rights are right for somebody: a controller that needs one has an exception, with an owner. A role gives
nothing until it is bound: what admission does not refuse weighs less here than in `granted`, where it is found again.
"""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import Either, Not
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import ROLE_RULES
from garrison_policies.rules.network import empty
from garrison_policies.rules.powers import (
    APPROVES_CERTIFICATES,
    BECOMES_ANOTHER,
    CHANGES_ADMISSION,
    CREATES_PODS,
    CREATES_VOLUMES,
    ESCALATES,
    EXECUTES,
    READS_SECRETS,
    WILDCARD,
)


def _role(rule: str) -> str:
    return f"""
            apiVersion: rbac.authorization.k8s.io/v1
            kind: Role
            metadata: {{name: orders, namespace: shop}}
            rules: [{{{rule}}}]
    """


_HARMLESS = _role('apiGroups: [""], resources: [configmaps], resourceNames: [orders], verbs: [get]')

RULES = (
    Rule(
        id="role-wildcard",
        title="a role names its verbs, resources and API groups",
        severity=Severity.HIGH,
        remedy="replace * by what is needed: it also grants what later versions and other people add",
        controls=("rbac.wildcard",),
        references=("CIS 5.1.3", "NSA authentication and authorization", "OWASP K03"),
        checks=(Check(subject=ROLE_RULES, require=Not(WILDCARD)),),
        good=_HARMLESS,
        bad=_role('apiGroups: [""], resources: [configmaps], verbs: ["*"]'),
    ),
    Rule(
        id="role-reads-secrets",
        title="a role does not read all secrets",
        severity=Severity.MEDIUM,
        remedy="name the secrets in resourceNames, or mount the one needed; an application's belong into the store",
        controls=("rbac.secrets_read",),
        references=("CIS 5.1.2", "NSA authentication and authorization", "OWASP K03", "OWASP K08"),
        checks=(Check(subject=ROLE_RULES, require=Not(READS_SECRETS)),),
        admission=False,
        why_not_admission="certificate and ingress controllers cannot do without",
        good=_role('apiGroups: [""], resources: [secrets], resourceNames: [orders-tls], verbs: [get]'),
        bad=_role('apiGroups: [""], resources: [secrets], verbs: [get, list]'),
    ),
    Rule(
        id="role-executes-in-pods",
        title="a role does not run commands in pods",
        severity=Severity.HIGH,
        remedy="remove pods/exec, attach, ephemeralcontainers and nodes/proxy; metrics need nodes/metrics only",
        controls=("rbac.exec",),
        references=("CIS 5.1.10", "NSA authentication and authorization", "OWASP K03"),
        checks=(Check(subject=ROLE_RULES, require=Not(EXECUTES)),),
        good=_HARMLESS,
        bad=_role('apiGroups: [""], resources: [pods/exec], verbs: [create]'),
    ),
    Rule(
        id="role-escalates",
        title="a role does not bind, escalate or impersonate",
        severity=Severity.CRITICAL,
        remedy="remove the verbs bind, escalate and impersonate; give the rights themselves to who needs them",
        controls=("rbac.escalation",),
        references=("CIS 5.1.8", "NSA authentication and authorization", "OWASP K03"),
        checks=(Check(subject=ROLE_RULES, require=Not(ESCALATES)),),
        good=_HARMLESS,
        bad=_role("apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [bind]"),
    ),
    Rule(
        id="role-becomes-another",
        title="a role neither requests tokens of any service account nor approves client certificates",
        severity=Severity.HIGH,
        remedy="name the service accounts in resourceNames; leave approval to the cluster's own controllers",
        controls=("rbac.escalation",),
        references=("CIS 5.1.11", "CIS 5.1.13", "NSA authentication and authorization", "OWASP K03"),
        checks=(Check(subject=ROLE_RULES, require=Not(BECOMES_ANOTHER)),),
        good=_role('apiGroups: [""], resources: [serviceaccounts/token], resourceNames: [orders], verbs: [create]'),
        bad=_role('apiGroups: [""], resources: [serviceaccounts/token], verbs: [create]'),
    ),
    Rule(
        id="role-approves-certificates",
        title="a role does not sign or approve requests for certificates",
        severity=Severity.MEDIUM,
        remedy="leave it to the controller of the issuer: who approves a certificate gives an identity away",
        controls=("rbac.escalation",),
        references=("CIS 5.1.11", "NSA authentication and authorization", "OWASP K03"),
        checks=(Check(subject=ROLE_RULES, require=Not(APPROVES_CERTIFICATES)),),
        admission=False,
        why_not_admission="certificate controllers are made for it",
        good=_role("apiGroups: [cert-manager.io], resources: [certificaterequests], verbs: [get, list, watch]"),
        bad=_role("apiGroups: [cert-manager.io], resources: [signers], verbs: [approve]"),
    ),
    Rule(
        id="role-changes-admission",
        title="a role does not change what admission refuses",
        severity=Severity.HIGH,
        remedy="name the one object in resourceNames and take create and delete away",
        controls=("rbac.escalation",),
        references=("CIS 5.1.12", "NSA authentication and authorization", "OWASP K03"),
        checks=(Check(subject=ROLE_RULES, require=Either(Not(CHANGES_ADMISSION), Not(empty("resourceNames")))),),
        admission=False,
        why_not_admission="operators bring webhooks and keep their certificates fresh",
        good=_HARMLESS,
        bad=_role(
            "apiGroups: [admissionregistration.k8s.io], resources: [validatingadmissionpolicies], verbs: [delete]"
        ),
    ),
    Rule(
        id="role-creates-pods",
        title="a role does not create pods",
        severity=Severity.MEDIUM,
        remedy="leave it to the pipeline: who creates a pod has every service account and secret of its namespace",
        controls=("rbac.create_pods",),
        references=("CIS 5.1.4", "NSA authentication and authorization", "OWASP K03"),
        checks=(Check(subject=ROLE_RULES, require=Not(CREATES_PODS)),),
        admission=False,
        why_not_admission="to deploy is what pipelines and operators are for",
        good=_HARMLESS,
        bad=_role("apiGroups: [apps], resources: [deployments], verbs: [create]"),
    ),
    Rule(
        id="role-creates-volumes",
        title="a role does not create persistent volumes",
        severity=Severity.MEDIUM,
        remedy="claim volumes of a storage class: who writes a PersistentVolume can mount any path of the node",
        controls=(),
        references=("CIS 5.1.9", "NSA authentication and authorization", "OWASP K03"),
        checks=(Check(subject=ROLE_RULES, require=Not(CREATES_VOLUMES)),),
        admission=False,
        why_not_admission="storage provisioners are made for it",
        good=_HARMLESS,
        bad=_role('apiGroups: [""], resources: [persistentvolumes], verbs: [create]'),
    ),
)
