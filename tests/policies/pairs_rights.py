"""RBAC: what a role gives and who gets it."""

from __future__ import annotations

from policies.written import EVERYTHING, SECRETS, Pair, binding, bound, role, rule

PAIRS: list[Pair] = [
    ("rbac.wildcard", "verbs", role(SECRETS + ", verbs: [get]"), role(SECRETS + ', verbs: ["*"]')),
    ("rbac.wildcard", "cluster role", role("verbs: [get]", "ClusterRole"), role('verbs: ["*"]', "ClusterRole")),
    ("rbac.wildcard", "groups", role("apiGroups: [apps], verbs: [get]"), role('apiGroups: ["*"], verbs: [get]')),
    ("rbac.wildcard", "subresource of all", role("resources: [pods/log]"), role('resources: ["*/log"]')),
    ("rbac.wildcard", "paths", role("nonResourceURLs: [/healthz/*]"), role('nonResourceURLs: ["*"]')),
    ("rbac.secrets_read", "verb", role(SECRETS + ", verbs: [create]"), role(SECRETS + ", verbs: [watch]")),
    (
        "rbac.secrets_read",
        "names",
        role(SECRETS + ", resourceNames: [a], verbs: [get]"),
        role(SECRETS + ", verbs: [get]"),
    ),
    ("rbac.secrets_read", "binding", bound("resources: [pods], verbs: [get]"), bound(SECRETS + ", verbs: [list]")),
    ("rbac.exec", "log", role(rule("pods/log", "get")), role(rule("pods/exec", "get"))),
    ("rbac.exec", "attach", role(rule("pods", "create")), role(rule("pods/attach", "create"))),
    ("rbac.exec", "kubelet", role(rule("nodes/metrics", "get")), role(rule("nodes/proxy", "get"))),
    (
        "rbac.exec",
        "everything",
        role('apiGroups: [apps], resources: ["*"], verbs: ["*"]'),
        role('apiGroups: ["*"], resources: ["*"], verbs: ["*"]'),
    ),
    (
        "rbac.escalation",
        "verb",
        role(rule("roles", "update", "rbac.authorization.k8s.io")),
        role(rule("roles", "escalate", "rbac.authorization.k8s.io")),
    ),
    ("rbac.escalation", "impersonation", role(rule("users", "get")), role(rule("users", "impersonate"))),
    (
        "rbac.escalation",
        "every verb",
        role(rule("deployments", "*", "apps")),
        role(rule("clusterroles", "*", "rbac.authorization.k8s.io")),
    ),
    (
        "rbac.escalation",
        "tokens",
        role(rule("serviceaccounts", "create")),
        role(rule("serviceaccounts/token", "create")),
    ),
    ("rbac.create_pods", "verb", role(rule("pods", "delete")), role(rule("pods", "create"))),
    ("rbac.create_pods", "through a job", role(rule("jobs", "get", "batch")), role(rule("jobs", "create", "batch"))),
    (
        "rbac.cluster_admin",
        "role",
        binding("admin", "kind: User, name: ann"),
        binding("cluster-admin", "kind: User, name: ann"),
    ),
    (
        "rbac.cluster_admin",
        "the API server's own",
        binding("cluster-admin", "kind: Group, name: 'system:masters'", name="cluster-admin"),
        binding("cluster-admin", "kind: User, name: ann", name="cluster-admin"),
    ),
    (
        "rbac.cluster_admin",
        "another name",
        bound("apiGroups: [apps], resources: ['*'], verbs: ['*']"),
        bound(EVERYTHING),
    ),
    ("rbac.cluster_admin", "nobody bound", bound(EVERYTHING, subjects="[]"), bound(EVERYTHING, kind="ClusterRole")),
    *(
        (
            "rbac.system_groups",
            name,
            binding("view", "kind: Group, name: 'developers'"),
            binding("view", f"kind: Group, name: '{name}'"),
        )
        for name in (
            "system:anonymous",
            "system:unauthenticated",
            "system:authenticated",
            "system:masters",
            "system:serviceaccounts",
        )
    ),
    (
        "rbac.system_groups",
        "the API server's own",
        binding("system:discovery", "kind: Group, name: 'system:authenticated'", name="system:discovery"),
        binding("view", "kind: Group, name: 'system:authenticated'", name="system:discovery"),
    ),
    (
        "sa.default",
        "subject",
        binding("view", "kind: ServiceAccount, name: web"),
        binding("view", "kind: ServiceAccount, name: default"),
    ),
]
