"""RBAC, who gets a role: nobody becomes cluster-admin by the way, and nobody is everybody."""

from __future__ import annotations

from garrison.findings import Severity
from garrison_policies.language.expr import All, Either, Every, Is, Matches, Not, Whole
from garrison_policies.language.rule import Check, Rule
from garrison_policies.language.subjects import BINDINGS, BOUND

# Everybody who asks, everybody who has any credential, all workloads of the cluster, and the group RBAC does not hold.
EVERYBODY = (
    "system:anonymous",
    "system:unauthenticated",
    "system:authenticated",
    "system:authenticated:oauth",  # OpenShift's users
    "system:serviceaccounts",
    "system:masters",
)
# What the API server and kubeadm bind by themselves, each to the role of that name and to these, for discovery.
_BOOTSTRAP = {
    "system:basic-user": ("system:authenticated",),
    "system:discovery": ("system:authenticated",),
    "system:public-info-viewer": ("system:authenticated", "system:unauthenticated"),
    "system:service-account-issuer-discovery": ("system:serviceaccounts",),
    "kubeadm:bootstrap-signer-clusterinfo": ("system:anonymous",),
}
_ITS_OWN = (
    All(Is("name", subjects), Whole(All(Is("metadata.name", (name,)), Is("roleRef.name", (name,)))))
    for name, subjects in _BOOTSTRAP.items()
)
_DISCOVERY_OF_ACCOUNTS = tuple(
    Is(path, ("system:service-account-issuer-discovery",)) for path in ("metadata.name", "roleRef.name")
)
# A service account is a user and in two groups as well: RBAC takes each name for it.
_DEFAULT_ACCOUNT = Either(
    All(Is("kind", ("ServiceAccount",)), Is("name", ("default",))),
    Matches("name", "^system:serviceaccount:[^:]*:default$"),
    Matches("name", "^system:serviceaccounts(:.*)?$"),
)
_ADMINISTRATORS = ("system:masters", "kubeadm:cluster-admins")
_FIRST_ADMINISTRATOR = All(
    Is("metadata.name", ("cluster-admin", "kubeadm:cluster-admins")),
    Is("roleRef.name", ("cluster-admin",)),
    Every("subjects", Is("name", _ADMINISTRATORS)),
)


def _binding(role: str, subject: str) -> str:
    return f"""
            apiVersion: rbac.authorization.k8s.io/v1
            kind: ClusterRoleBinding
            metadata: {{name: orders}}
            roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {role}}}
            subjects: [{{{subject}}}]
    """


_ORDERS = "kind: ServiceAccount, name: orders, namespace: shop"

RULES = (
    Rule(
        id="cluster-admin-binding",
        title="nobody is bound to cluster-admin",
        severity=Severity.CRITICAL,
        remedy="bind a role that names what is needed",
        controls=("rbac.cluster_admin",),
        references=("CIS 5.1.1", "NSA authentication and authorization", "OWASP K03"),
        checks=(
            Check(
                subject=BINDINGS,
                at="roleRef.name",
                require=Either(Not(Is("roleRef.name", ("cluster-admin",))), _FIRST_ADMINISTRATOR),
            ),
        ),
        good=_binding("view", _ORDERS),
        bad=_binding("cluster-admin", _ORDERS),
    ),
    Rule(
        id="everybody-binding",
        title="nothing is bound to everybody: anonymous, authenticated, all service accounts, system:masters",
        severity=Severity.CRITICAL,
        remedy="name the users, groups or service accounts that need it",
        controls=("rbac.system_groups",),
        references=("CIS 5.1.7", "NSA authentication and authorization", "OWASP K03", "OWASP K06"),
        checks=(
            Check(
                subject=BOUND,
                at="name",
                require=Either(
                    Not(Is("name", EVERYBODY)),
                    *_ITS_OWN,
                    Whole(_FIRST_ADMINISTRATOR),
                ),
            ),
        ),
        good=_binding("view", _ORDERS),
        bad=_binding("view", "apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:authenticated'"),
    ),
    Rule(
        id="default-account-binding",
        title="no rights are given to a default service account",
        severity=Severity.MEDIUM,
        remedy="give the workload a service account of its own: every pod that names none has the default one",
        controls=("sa.default",),
        references=("CIS 5.1.5", "NSA authentication and authorization", "OWASP K03"),
        checks=(
            Check(
                subject=BOUND,
                at="name",
                require=Either(Not(_DEFAULT_ACCOUNT), Whole(All(*_DISCOVERY_OF_ACCOUNTS))),
            ),
        ),
        good=_binding("view", _ORDERS),
        bad=_binding("view", "kind: ServiceAccount, name: default, namespace: shop"),
    ),
)
