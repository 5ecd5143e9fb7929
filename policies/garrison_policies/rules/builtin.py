"""The cluster roles that every API server has and no file writes: of what they allow, that which rules are about.

Read from Kubernetes 1.36; that a server of the version in use says the same is a test (tests/servers). cluster-admin
has a rule of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from garrison_policies.language.objects import Object

_AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
_WRITE = "create delete deletecollection patch update"
_CERTIFICATES = "certificates.k8s.io"
# role: groups: resources: verbs; a dot is the core group
_RULES = f"""
system:aggregate-to-edit; .; pods/exec pods/attach secrets; get list watch
system:aggregate-to-edit; .; serviceaccounts; impersonate
system:aggregate-to-edit; .; pods pods/attach pods/exec; {_WRITE}
system:aggregate-to-edit; .; replicationcontrollers secrets serviceaccounts; {_WRITE}
system:aggregate-to-edit; .; serviceaccounts/token; create
system:aggregate-to-edit; apps; daemonsets deployments replicasets statefulsets; {_WRITE}
system:aggregate-to-edit; batch; cronjobs jobs; {_WRITE}
system:certificates.k8s.io:kube-apiserver-client-approver; {_CERTIFICATES}; signers; approve
system:certificates.k8s.io:kube-apiserver-client-kubelet-approver; {_CERTIFICATES}; signers; approve
system:certificates.k8s.io:kubelet-serving-approver; {_CERTIFICATES}; signers; approve
system:certificates.k8s.io:legacy-unknown-approver; {_CERTIFICATES}; signers; approve
system:controller:certificate-controller; {_CERTIFICATES}; certificatesigningrequests/approval; update
system:controller:certificate-controller; {_CERTIFICATES}; signers; approve sign
system:controller:clusterrole-aggregation-controller; rbac.authorization.k8s.io; clusterroles; escalate patch update
system:controller:cronjob-controller; batch; jobs; create
system:controller:daemon-set-controller; .; pods; create
system:controller:deployment-controller; apps extensions; replicasets; create
system:controller:generic-garbage-collector; *; *; delete get list patch update watch
system:controller:job-controller; .; pods; create
system:controller:namespace-controller; *; *; delete deletecollection get list watch
system:controller:persistent-volume-binder; .; pods; create
system:controller:replicaset-controller; .; pods; create
system:controller:replication-controller; .; pods; create
system:controller:resourcequota-controller; *; *; list watch
system:controller:statefulset-controller; .; pods; create
system:kube-controller-manager; *; *; list watch
system:kube-controller-manager; .; secrets; get
system:kube-controller-manager; .; serviceaccounts/token; create
system:kubelet-api-admin; .; nodes/proxy; *
system:node; .; pods; create
system:node; .; secrets; get list watch
system:node; .; serviceaccounts/token; create
"""
# What each of the user-facing roles takes from all that carry a label; `view` reads nothing that rules are about.
_LABELS = {
    "system:aggregate-to-edit": ("edit",),
    "edit": ("admin",),
    "view": ("edit",),
}


def _built_in() -> Iterator[Object]:
    rows = [[cell.split() for cell in line.split(";")] for line in _RULES.strip().splitlines()]
    for name, of_role in groupby(rows, key=lambda row: row[0][0]):
        yield _role(name, rules=[_rule(*row[1:]) for row in of_role])
    for name in ("admin", "edit", "view"):
        selector = {"matchLabels": {_AGGREGATE + name: "true"}}
        yield _role(name, aggregationRule={"clusterRoleSelectors": [selector]})


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> dict[str, list[str]]:
    return {"apiGroups": [group.strip(".") and group for group in groups], "resources": resources, "verbs": verbs}


def _role(name: str, **said: object) -> Object:
    labels = {_AGGREGATE + to: "true" for to in _LABELS.get(name, ())}
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    return Object({**head, "metadata": {"name": name, "labels": labels}, **said}, "built in")


BUILT_IN = tuple(_built_in())
