"""RBAC, what the rules of roles amount to: predicates over one rule, for roles and for those they are bound to.

Sources: Kubernetes, "Role Based Access Control Good Practices" and "User Impersonation"; cert-manager, "Approval".
"""

from __future__ import annotations

from garrison_policies.language.expr import All, Either, Is, Matches, Predicate, Some
from garrison_policies.rules.network import empty

RBAC = "rbac.authorization.k8s.io"


def among(path: str, *values: str) -> Predicate:
    """The list at `path` names one of them, or everything."""
    return Some(path, Is("", (*values, "*")))


def grants(groups: tuple[str, ...], resources: tuple[str, ...], verbs: tuple[str, ...]) -> Predicate:
    """A rule of a role allows one of `verbs` on one of `resources`. Without `verbs`: every verb."""
    return All(among("apiGroups", *groups), among("resources", *resources), among("verbs", *verbs))


def _wild(path: str) -> Predicate:
    return Some(path, Is("", ("*",)))


def _names(path: str, *values: str) -> Predicate:
    return Some(path, Is("", values))


# Who reads, makes, changes and removes whatever there is needs no `*` for it.
EVERY_VERB = Either(
    _wild("verbs"),
    All(
        _names("verbs", "get", "list"),
        _names("verbs", "create"),
        _names("verbs", "update", "patch"),
        _names("verbs", "delete", "deletecollection"),
    ),
)
# Of the groups two are enough: pods, secrets and accounts are in the one, the roles that give the rest in the other.
EVERYTHING = All(
    EVERY_VERB,
    _wild("resources"),
    empty("resourceNames"),
    Either(_wild("apiGroups"), All(_names("apiGroups", ""), _names("apiGroups", RBAC))),
)
WILDCARD = Either(
    _wild("verbs"),
    Some("resources", Matches("", r"\*")),  # `*/scale` is that of every resource
    _wild("apiGroups"),
    Some("nonResourceURLs", Is("", ("*", "/*"))),
)
# Secrets by name are what the remedy asks for: under names Kubernetes allows list and watch of that one only.
READS_SECRETS = All(grants(("",), ("secrets",), ("get", "list", "watch")), empty("resourceNames"))
# exec and attach connect with create, over WebSockets with get too. An ephemeral container is a shell of one's own.
# nodes/proxy is the kubelet's API, which runs commands in every pod of the node and asks no admission.
EXECUTES = Either(
    grants(("",), ("pods/exec", "*/exec", "pods/attach", "*/attach", "nodes/proxy", "*/proxy"), ("create", "get")),
    grants(("",), ("pods/ephemeralcontainers", "*/ephemeralcontainers"), ("update", "patch")),
)
CREATES_PODS = Either(
    grants(("",), ("pods", "replicationcontrollers"), ("create",)),
    grants(("apps", "extensions"), ("deployments", "statefulsets", "daemonsets", "replicasets"), ("create",)),
    grants(("batch",), ("jobs", "cronjobs"), ("create",)),
)
# Users, groups and accounts are of the core group to RBAC, the rest of an identity of the authentication group.
IMPERSONATES = Either(
    All(
        among("apiGroups", "", "authentication.k8s.io"),
        Some("resources", Matches("", r"^([*]|users|groups|serviceaccounts|uids|userextras(/.*)?)$")),
        among("verbs", "impersonate"),
    ),
    Some("verbs", Matches("", "^impersonate:")),  # constrained: as a node, or for some verbs only
)
# The verbs that step over RBAC's own barrier, that nobody can give what they do not have. Other APIs have verbs of
# these names, too, which give no rights.
ESCALATES = Either(
    grants((RBAC,), ("roles", "clusterroles"), ("bind", "escalate")),
    grants((RBAC,), ("rolebindings", "clusterrolebindings"), ()),
    IMPERSONATES,
)
# Signers of Kubernetes' own authorities, by whatever name; those of others sign for their own issuers.
_ITS_SIGNERS = Either(empty("resourceNames"), Some("resourceNames", Matches("", r"^([*]$|kubernetes\.io/)")))
# Kubernetes lets these become somebody else as well, in two steps.
BECOMES_ANOTHER = Either(
    All(grants(("",), ("serviceaccounts/token", "*/token"), ("create",)), empty("resourceNames")),
    grants(("certificates.k8s.io",), ("certificatesigningrequests/approval", "*/approval"), ("update", "patch")),
    All(grants(("certificates.k8s.io",), ("signers",), ("approve", "sign")), _ITS_SIGNERS),
)
# Whose request an issuer signs is whoever it names: in cert-manager's words, and in those of Kubernetes for others.
APPROVES_CERTIFICATES = Either(
    grants(("cert-manager.io",), ("signers",), ("approve",)),
    grants(("cert-manager.io",), ("certificaterequests/status", "*/status"), ("update", "patch")),
    grants(("certificates.k8s.io",), ("certificatesigningrequests/status", "*/status"), ("update", "patch")),
    grants(("certificates.k8s.io",), ("signers",), ("approve", "sign", "attest")),
)
CHANGES_ADMISSION = grants(
    ("admissionregistration.k8s.io",),
    (
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "mutatingadmissionpolicies",
        "mutatingadmissionpolicybindings",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    ),
    ("create", "update", "patch", "delete", "deletecollection"),
)
CREATES_VOLUMES = grants(("",), ("persistentvolumes",), ("create",))
