"""Replicas, their spreading, and disruption budgets."""

from __future__ import annotations

from policies.written import Pair, apart, autoscaler, budget, workload

PAIRS: list[Pair] = [
    ("avail.replicas", "number", workload(spec="replicas: 2, "), workload(spec="replicas: 1, ")),
    ("avail.replicas", "unsaid", workload(kind="DaemonSet"), workload()),
    (
        "avail.replicas",
        "autoscaler",
        [workload(), autoscaler("minReplicas: 2")],
        [workload(), autoscaler("minReplicas: 2", target="other")],
    ),
    ("avail.replicas", "autoscaler's least", autoscaler("minReplicas: 2"), autoscaler("maxReplicas: 9")),
    ("avail.pdb", "none", workload(spec="replicas: 1, "), workload(spec="replicas: 2, ")),
    (
        "avail.pdb",
        "for others",
        [workload(spec="replicas: 2, "), budget("maxUnavailable: 1")],
        [workload("app: wob", spec="replicas: 2, "), budget("maxUnavailable: 1")],
    ),
    ("avail.pdb", "nothing", budget("maxUnavailable: 1"), budget("maxUnavailable: 0")),
    ("avail.pdb", "nothing in percent", budget("maxUnavailable: 10%"), budget("maxUnavailable: 0%")),
    ("avail.pdb", "all in percent", budget("minAvailable: 50%"), budget("minAvailable: 100%")),
    ("avail.pdb", "no number", budget("minAvailable: 1"), budget("unhealthyPodEvictionPolicy: AlwaysAllow")),
    (
        "avail.pdb",
        "as many as there are",
        [workload(spec="replicas: 3, "), budget("minAvailable: 2")],
        [workload(spec="replicas: 3, "), budget("minAvailable: 3")],
    ),
    (
        "avail.pdb",
        "percent rounded up",
        [workload(spec="replicas: 2, "), budget("minAvailable: 50%")],
        [workload(spec="replicas: 2, "), budget("minAvailable: 51%")],
    ),
    (
        "avail.pdb",
        "autoscaler's least",
        [workload(), autoscaler("minReplicas: 2"), budget("minAvailable: 1")],
        [workload(), autoscaler("maxReplicas: 9"), budget("minAvailable: 1")],
    ),
    ("avail.anti_affinity", "none", apart("matchLabels: {app: web}"), workload(spec="replicas: 2, ")),
    (
        "avail.anti_affinity",
        "others",
        apart("matchExpressions: [{key: app, operator: In, values: [web]}]"),
        apart("matchLabels: {app: wob}"),
    ),
    (
        "avail.anti_affinity",
        "elsewhere",
        apart("matchLabels: {app: web}", ", namespaces: [shop]"),
        apart("matchLabels: {app: web}", ", namespaces: [bank]"),
    ),
    ("avail.anti_affinity", "nothing to spread", workload(spec="replicas: 1, "), workload(spec="replicas: 3, ")),
    (
        "avail.anti_affinity",
        "a constraint for nobody",
        apart("", ", matchLabelKeys: [pod-template-hash]"),
        apart("matchLabels: {app: web}").replace(", labelSelector: {matchLabels: {app: web}}", ""),
    ),
]
