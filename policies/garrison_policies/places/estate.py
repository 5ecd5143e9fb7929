"""Reality equals what the graph derives: nothing missing, nothing changed, nothing beside it.

Reality is an inventory: of files, of a preview, or of a live cluster. The comparison knows what the API server fills in
(`estate_difference`) and what Kubernetes and the platform make by themselves; everything else is a finding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from garrison.cluster import Cluster
from garrison.defaults import TRUST_BUNDLE
from garrison.derive import render
from garrison.derive.adjustment import weakened
from garrison.derive.names import deployer_role
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison_policies.exceptions.apply import index, lineage
from garrison_policies.language.evaluate import finding
from garrison_policies.language.objects import Inventory, Object
from garrison_policies.language.own import CHANGED, EXTRA, MISSING
from garrison_policies.language.rule import Finding
from garrison_policies.language.subjects import WORKLOADS
from garrison_policies.places.difference import Difference, differences

# Kinds that open a way, grant a right, run code or configure a protection: none may be there undeclared.
WATCHED = (
    *WORKLOADS,
    *(
        "NetworkPolicy",
        "Role",
        "RoleBinding",
        "ServiceAccount",
        "ConfigMap",
        "Service",
        "Ingress",
        "Certificate",
        "Issuer",
    ),
    *("Gateway", "HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "ReferenceGrant"),
)
# Made in every namespace by Kubernetes itself, and by trust-manager in those that trust the estate's CA.
MADE = {("ConfigMap", "kube-root-ca.crt"), ("ConfigMap", TRUST_BUNDLE), ("ServiceAccount", "default")}
OF_ITS_JOB = ("batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name")
NOT_COMPARED = ("apiVersion", "kind", "metadata", "status")
Identity = tuple[str, str, str, str]


def compare(
    graph: Graph,
    inventory: Inventory,
    *,
    file: str = "",
    cluster: Cluster | None = None,
    adjusted: Sequence[Manifest] = (),
) -> Iterator[Finding]:
    """The findings of the estate's rules.

    file: what a missing object's finding points at, since it stands in no file: the program.
    cluster: whose own names, such as its issuer, are expected.
    adjusted: objects as the program adjusted them; what an adjustment may not change is still expected as derived.
    """
    derived = {identity(item): item for item in (Object(body, file) for body in render(graph, cluster))}
    for item in (Object(body, file) for body in adjusted):
        if identity(item) in derived and not any(weakened(dict(derived[identity(item)].body), item.body)):
            derived[identity(item)] = item
    real = {identity(item): item for item in inventory.objects}
    for key, wanted in derived.items():
        if key not in real:
            yield finding(MISSING, wanted, "", f"the graph derives {wanted}, and it is not there")
            continue
        for path, what in _changes(wanted.body, real[key].body):
            yield finding(CHANGED, real[key], path, what)
    spaces = frozenset(item.name for item in derived.values() if item.kind == "Namespace")
    deployers = (cluster or Cluster()).deployers
    others = [item for item in inventory.objects if not _deploys(item, deployer_role(graph.name), deployers)]
    yield from _beside(derived, others, inventory, spaces)


def identity(item: Object) -> Identity:
    """What makes it the same object in every version of its API."""
    return item.group, item.kind, item.namespace, item.name


def _changes(derived: Mapping[str, Any], live: Mapping[str, Any]) -> Iterator[Difference]:
    """Tools keep notes in labels and annotations, so those may be added; but a namespace's labels select it."""
    live = _without_own_labels(live) if derived["kind"] == "Job" else live
    ours, theirs = derived["metadata"], live.get("metadata", {})
    for key in ("labels", "annotations"):
        wanted, there = ours.get(key, {}), theirs.get(key) or {}
        if not (derived["kind"] == "Namespace" and key == "labels"):
            there = {name: value for name, value in there.items() if name in wanted}
        yield from differences(wanted, there, f"metadata.{key}")
    yield from differences(
        {key: value for key, value in derived.items() if key not in NOT_COMPARED},
        {key: value for key, value in live.items() if key not in NOT_COMPARED},
    )


def _without_own_labels(job: Mapping[str, Any]) -> Mapping[str, Any]:
    """A Job without what the API server writes into it, and lets nobody change: by what it knows its own pods."""
    spec = {key: value for key, value in job.get("spec", {}).items() if key != "selector"}
    template = spec.get("template", {})
    metadata = template.get("metadata", {})
    labels = {key: value for key, value in metadata.get("labels", {}).items() if key not in OF_ITS_JOB}
    return {**job, "spec": {**spec, "template": {**template, "metadata": {**metadata, "labels": labels}}}}


def _deploys(item: Object, name: str, deployers: Sequence[str]) -> bool:
    """The role that `garrison deployer` prints, which alone gives nothing, and its binding to nobody but deployers."""
    if (item.group, item.name) != ("rbac.authorization.k8s.io", name):
        return False
    return item.kind == "Role" or {*map(_person, item.body.get("subjects", ()))} <= {*deployers}


def _person(subject: Mapping[str, Any]) -> str:
    """As settings say it."""
    if subject.get("kind") == "ServiceAccount":
        return f"user:system:serviceaccount:{subject.get('namespace')}:{subject.get('name')}"
    return f"{str(subject.get('kind')).lower()}:{subject.get('name')}"


def _beside(
    derived: Mapping[Identity, Object], others: Sequence[Object], inventory: Inventory, namespaces: frozenset[str]
) -> Iterator[Finding]:
    by_uid = index(inventory)
    for item in others:
        if identity(item) in derived or (item.kind, item.name) in MADE:
            continue
        if item.kind in ("ClusterRoleBinding", "RoleBinding") and item.namespace not in namespaces:
            for number, subject in enumerate(item.body.get("subjects", ())):
                if _names(subject, namespaces):
                    text = f"{item} gives rights to {subject.get('kind')} {subject.get('name')} of the estate"
                    yield finding(EXTRA, item, f"subjects[{number}]", text)
        elif item.kind in WATCHED and item.namespace in namespaces:
            makers = [maker for maker in lineage(item, by_uid) if identity(maker) in derived]
            if not makers:
                yield finding(EXTRA, item, "", f"{item} is in the estate and the graph does not derive it")
            elif item.kind == "Pod":
                yield from _intruders(item, derived[identity(makers[0])])


def _names(subject: Mapping[str, Any], namespaces: frozenset[str]) -> bool:
    """Whether a subject of a binding is an account of the estate, or the group of all accounts of its namespaces."""
    if subject.get("kind") == "ServiceAccount":
        return subject.get("namespace") in namespaces
    return str(subject.get("name", "")).removeprefix("system:serviceaccounts:") in namespaces


def _intruders(pod: Object, maker: Object) -> Iterator[Finding]:
    """Containers that its workload does not have: debug containers, and what a webhook injected."""
    template = maker.template or {}
    for field in ("initContainers", "containers", "ephemeralContainers"):
        known = {(one["name"], one["image"]) for one in template.get("spec", {}).get(field, ())}
        for number, one in enumerate(pod.body.get("spec", {}).get(field, ())):
            if (one.get("name"), one.get("image")) not in known:
                path = f"spec.{field}[{number}]"
                text = f"container {one.get('name')} ({one.get('image')}) is not what {maker} derives"
                yield finding(CHANGED, pod, path, text)
