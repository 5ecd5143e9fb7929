"""Where objects live: not in the namespace of nobody, and not in those of the cluster itself."""

from __future__ import annotations

from garrison.defaults import SYSTEM_NAMESPACES
from garrison.findings import Severity
from garrison_policies.language.expr import All, Either, Is, Not, Present
from garrison_policies.language.rule import Check, Rule, Subject
from garrison_policies.language.subjects import WORKLOADS

_TEMPLATED = Subject(kinds=(*WORKLOADS, "DeploymentConfig", "Rollout"))
_NAMESPACED = Subject(
    kinds=(
        *_TEMPLATED.kinds, "ConfigMap", "Ingress", "NetworkPolicy", "PersistentVolumeClaim", "PodDisruptionBudget",
        "Role", "RoleBinding", "Secret", "Service", "ServiceAccount",
    )
)  # fmt: skip
# The control plane keeps these in the default namespace.
_ITS_OWN = Either(
    All(Is("kind", ("Service",)), Is("metadata.name", ("kubernetes",))),
    All(Is("kind", ("ServiceAccount",)), Is("metadata.name", ("default",))),
    All(Is("kind", ("ConfigMap",)), Is("metadata.name", ("kube-root-ca.crt",))),
)
_WORKLOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: app%s}
spec:
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec: {containers: [{name: app, image: registry.example/app:1.0}]}
"""

RULES = (
    Rule(
        id="default-namespace",
        title="nothing lives in the namespace default, which has no owner and no policy of its own",
        severity=Severity.LOW,
        remedy="make a namespace for the team or the application",
        controls=("ns.default",),
        references=("CIS 5.7.1", "CIS 5.7.4", "NSA network separation", "OWASP K07"),
        checks=(
            Check(
                subject=_NAMESPACED,
                at="metadata.namespace",
                require=Either(Not(Is("metadata.namespace", ("default",))), _ITS_OWN),
            ),
        ),
        good=_WORKLOAD % ", namespace: shop",
        bad=_WORKLOAD % ", namespace: default",
    ),
    Rule(
        id="namespace-said",
        title="a workload says in which namespace it runs",
        severity=Severity.LOW,
        remedy="write metadata.namespace: else it lands where the command that applies it points",
        controls=("ns.default",),
        references=("CIS 5.7.4", "NSA network separation"),
        checks=(Check(subject=_TEMPLATED, at="metadata.namespace", require=Present("metadata.namespace")),),
        good=_WORKLOAD % ", namespace: shop",
        bad=_WORKLOAD % "",
        admission=False,
        why_not_admission="the API server has always filled it in by then",
    ),
    Rule(
        id="system-namespace",
        title="workloads live outside the namespaces of the cluster itself",
        severity=Severity.MEDIUM,
        remedy="make a namespace for it: policies and quotas leave the system's alone",
        controls=("ns.system",),
        references=("CIS 5.7.1", "NSA network separation", "OWASP K01"),
        checks=(
            Check(
                subject=_TEMPLATED,
                at="metadata.namespace",
                require=Not(Is("metadata.namespace", SYSTEM_NAMESPACES)),
            ),
        ),
        good=_WORKLOAD % ", namespace: shop",
        bad=_WORKLOAD % ", namespace: kube-system",
        admission=False,
        why_not_admission="the cluster's own parts are there; policies that refused them would lock it out",
    ),
)
