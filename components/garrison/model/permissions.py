"""What a service may be permitted in the Kubernetes API, and why the rest may not. Pure: words in, objections out.

Of the built-in resources this is an allow list: most may be read, few may be written, and what makes, runs or guards a
workload is written from the declaration only. Sources: Kubernetes, RBAC Good Practices; CIS 5.1.2, 5.1.3, 5.1.4, 5.1.8,
5.1.9, 5.1.13; OWASP K03.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from garrison.errors import did_you_mean
from garrison.model.breach import Breach, Place
from garrison.words import Ref

Objection = tuple[str, str]  # why not, and what to do instead

READS: Final = ("get", "list", "watch")
WRITES: Final = ("create", "update", "patch", "delete", "deletecollection")
VERBS: Final = (*READS, *WRITES)
ESCALATION: Final = ("bind", "escalate", "impersonate")
UNNAMED: Final = ("create", "deletecollection")  # RBAC cannot limit these by resourceNames

GROUP = re.compile(r"([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)?")
RESOURCE = re.compile(r"[a-z][a-z0-9]*(/[a-z]+)?")
NAME = re.compile(r"[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?")

_TOKEN = ("a token is an identity", "remove it; a pod of a permitted service gets its own token, and no other")
_INSIDE = ("it reaches into other workloads, past their proxies", "declare the call with calls()")
_ROLES = ("who may give rights may take any", "declare each service's own rights with may()")
NEVER: Final[Mapping[tuple[str, str], Objection]] = {
    ("", "secrets"): (
        "no secret is read from the API server",
        "use reads(path) or uses(database, role=): secrets come from the secret store",
    ),
    ("", "serviceaccounts/token"): _TOKEN,
    ("certificates.k8s.io", "podcertificaterequests"): _TOKEN,
    ("", "bindings"): ("only a scheduler binds pods", "remove it"),
    **{("", f"pods/{sub}"): _INSIDE for sub in ("attach", "ephemeralcontainers", "exec", "portforward", "proxy")},
    ("", "services/proxy"): _INSIDE,
    **{
        ("rbac.authorization.k8s.io", r): _ROLES
        for r in ("roles", "rolebindings", "clusterroles", "clusterrolebindings")
    },
}

NAMESPACED: Final[Mapping[str, Sequence[str]]] = {  # Kubernetes 1.36, without what is never permitted
    "": (
        *("configmaps", "endpoints", "events", "limitranges", "persistentvolumeclaims", "pods", "podtemplates"),
        *("replicationcontrollers", "resourcequotas", "serviceaccounts", "services"),
    ),
    "apps": ("controllerrevisions", "daemonsets", "deployments", "replicasets", "statefulsets"),
    "authorization.k8s.io": ("localsubjectaccessreviews",),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "coordination.k8s.io": ("leasecandidates", "leases"),
    "discovery.k8s.io": ("endpointslices",),
    "events.k8s.io": ("events",),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
    "resource.k8s.io": ("resourceclaims", "resourceclaimtemplates"),
    "scheduling.k8s.io": ("podgroups", "workloads"),
    "storage.k8s.io": ("csistoragecapacities",),
}
CLUSTER: Final[Mapping[str, Sequence[str]]] = {  # a Role cannot grant them; () stands for the whole group
    "": ("componentstatuses", "namespaces", "nodes", "persistentvolumes"),
    "admissionregistration.k8s.io": (),
    "apiextensions.k8s.io": (),
    "apiregistration.k8s.io": (),
    "authentication.k8s.io": (),
    "authorization.k8s.io": ("selfsubjectaccessreviews", "selfsubjectrulesreviews", "subjectaccessreviews"),
    "cert-manager.io": ("clusterissuers",),
    "certificates.k8s.io": ("certificatesigningrequests", "clustertrustbundles"),
    "flowcontrol.apiserver.k8s.io": (),
    "gateway.networking.k8s.io": ("gatewayclasses",),
    "internal.apiserver.k8s.io": (),
    "metrics.k8s.io": ("nodes",),
    "networking.k8s.io": ("ingressclasses", "ipaddresses", "servicecidrs"),
    "node.k8s.io": (),
    "resource.k8s.io": ("deviceclasses", "devicetaintrules", "resourcepoolstatusrequests", "resourceslices"),
    "scheduling.k8s.io": ("priorityclasses",),
    "storage.k8s.io": ("csidrivers", "csinodes", "storageclasses", "volumeattachments", "volumeattributesclasses"),
    "storagemigration.k8s.io": (),
    "trust.cert-manager.io": (),
}
WRITABLE: Final = frozenset(
    {
        ("", "configmaps"),  # those in it that configure proxies and agents excepted, below
        ("", "events"),
        ("events.k8s.io", "events"),
        ("coordination.k8s.io", "leases"),
    }
)
WORKLOADS: Final = ("pods", "podtemplates", "replicationcontrollers")
SUBRESOURCES: Final = ("log", "scale", "status")
GUARDS: Final = (  # custom groups that hold identities, policies, routes and copies of secrets; and groups under them
    *("cert-manager.io", "cilium.io", "external-secrets.io", "gateway.envoyproxy.io", "gateway.networking.k8s.io"),
    *("istio.io", "kyverno.io", "linkerd.io", "policy.networking.k8s.io", "projectcalico.org"),
    *("secrets.hashicorp.com", "secrets-store.csi.x-k8s.io", "spire.spiffe.io"),
)


@dataclass(frozen=True, order=True)
class Permission:
    """`service` may do `verbs` at `resource` in its own namespace of the Kubernetes API; with `names`, there only."""

    service: Ref
    group: str
    resource: str
    names: tuple[str, ...]
    verbs: tuple[str, ...]

    def __str__(self) -> str:
        """The objects as kubectl names them: `leases.coordination.k8s.io orders`."""
        return " ".join([".".join(filter(None, (self.resource, self.group))), *self.names])

    def breaches(self, place: Place, derived: Collection[str]) -> Iterator[Breach]:
        verbs = " ".join(self.verbs)
        for why, remedy in objections(verbs, self.resource, self.names, self.group, derived=derived):
            asked = " ".join(filter(None, (verbs, str(self))))
            yield Breach(place, f"'{self.service}' may not be permitted {asked!r}: {why}", remedy)


def merged(permissions: Iterable[Permission]) -> Iterator[Permission]:
    """One for each set of objects, with all the verbs said about it."""
    objects: dict[tuple[Ref, str, str, tuple[str, ...]], set[str]] = {}
    for p in permissions:
        objects.setdefault((p.service, p.group, p.resource, tuple(sorted(set(p.names)))), set()).update(p.verbs)
    for what, verbs in objects.items():
        yield Permission(*what, tuple(sorted(verbs)))


def objections(
    verbs: str, resource: str, names: Collection[str], group: str, *, derived: Collection[str] = ()
) -> Iterator[Objection]:
    """Everything that speaks against one permission; `derived` are the ConfigMaps that Garrison itself writes."""
    words = verbs.split()
    if not words:
        yield "it names no verb", f"say which of {', '.join(VERBS)}"
    for verb in words:
        yield from _verb(verb)
    unfit = next(_resource(group, resource), None)
    if unfit:
        yield unfit
    else:
        yield from _writes(words, group, resource)
        yield from _configuration(words, names, derived) if (group, resource) == ("", "configmaps") else ()
    for name in names:
        if not NAME.fullmatch(name):
            yield f"{name!r} is not an object's name", "write it as kubectl shows it; there are no patterns"
    if names and (unnamed := [verb for verb in words if verb in UNNAMED]):
        yield f"{' and '.join(unnamed)} cannot be limited to names", "say it in a statement of its own, without names"


def _verb(verb: str) -> Iterator[Objection]:
    if "*" in verb:
        yield "'*' also permits what is added later", f"name each verb: {', '.join(VERBS)}"
    elif verb in ESCALATION:
        yield (
            f"{verb!r} gives rights that nobody declared",
            "remove it, and declare each service's own rights with may()",
        )
    elif "," in verb:
        yield f"{verb!r} is not a verb", f"write spaces between verbs: {verb.replace(',', ' ')!r}"
    elif verb not in VERBS:
        yield f"{verb!r} is not a verb", did_you_mean(verb, VERBS, f"use {', '.join(VERBS)}")


def _resource(group: str, resource: str) -> Iterator[Objection]:
    """Why the resource may not be permitted at all; the first reason is the one to tell."""
    base, _, part = resource.partition("/")
    if "*" in resource or "*" in group:
        yield "'*' also permits what is added later", "name the resource and its group"
    built_in = group in NAMESPACED or group in CLUSTER
    if not GROUP.fullmatch(group) or (not built_in and "." not in group):
        remedy = "write it without its version, such as 'apps', and leave it out for the core group"
        yield f"{group!r} is not a group", did_you_mean(group, {*NAMESPACED, *CLUSTER}, remedy)
    if not RESOURCE.fullmatch(resource):
        yield f"{resource!r} is not a resource", "write its plural in lower case, such as 'configmaps'"
    if found := NEVER.get((group, resource)) or NEVER.get((group, base)):
        yield found
    if group in CLUSTER and (base in CLUSTER[group] or not CLUSTER[group]):
        yield f"{base!r} belongs to the whole cluster", "remove it; a service's rights end at its namespace"
    if group in NAMESPACED and base not in NAMESPACED[group]:
        place = f"group {group!r}" if group else "the core group"
        yield f"there is no {base!r} in {place}", _elsewhere(base, group)
    if part and part not in SUBRESOURCES:
        yield f"{part!r} acts on a workload instead of reading it", f"use one of {', '.join(SUBRESOURCES)}"


def _elsewhere(base: str, group: str) -> str:
    """The group that has the resource, or the nearest word in this one."""
    homes = [other for other, resources in NAMESPACED.items() if base in resources]
    if homes:
        return f"did you mean group={homes[0]!r}?" if homes[0] else "leave the group out"
    otherwise = "name its group; this one has " + ", ".join(NAMESPACED[group])
    return did_you_mean(base, NAMESPACED[group], otherwise)


def _writes(words: Sequence[str], group: str, resource: str) -> Iterator[Objection]:
    """What makes, runs or guards a workload is nobody's to change at run time."""
    guards = any(group == guard or group.endswith(f".{guard}") for guard in GUARDS)
    if (group, resource) in WRITABLE or not (group in NAMESPACED or guards) or not set(words) & set(WRITES):
        return
    said = f"{resource} are written from the declaration only"
    if group in ("apps", "batch") or resource.partition("/")[0] in WORKLOADS:
        yield said, "declare the workload as a service; one made at run time could take any identity of the namespace"
    else:
        yield said, f"keep to {', '.join(READS)}"


def _configuration(words: Sequence[str], names: Collection[str], derived: Collection[str]) -> Iterator[Objection]:
    """Proxies and agents are configured by ConfigMaps: whoever may change any may let anybody in."""
    changes = [verb for verb in words if verb in WRITES and verb != "create"]
    if not changes:
        return
    if not names:
        remedy = "name the ConfigMaps; those of the proxies and agents are in the same namespace"
        yield f"{' and '.join(changes)} would be permitted at every ConfigMap", remedy
    for name in sorted(set(names) & set(derived)):
        yield f"ConfigMap {name!r} is written by Garrison", "name one of the service's own"
