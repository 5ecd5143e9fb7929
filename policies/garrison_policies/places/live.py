"""The objects of the live cluster, read with kubectl; all that were asked for, or none.

Secrets are not read: no rule needs a value, and who checks a cluster should not have to be able to read them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence

from garrison.defaults import SYSTEM_NAMESPACES
from garrison.kube import KubectlError, kubectl
from garrison_policies.exceptions.apply import index, lineage
from garrison_policies.language.objects import Inventory, Object, without_nulls
from garrison_policies.language.rule import Finding
from garrison_policies.read.files import CheckError

FILE = "live"
# What the API server itself serves; one that is missing means its discovery is broken.
BUILT_IN = (
    *("namespaces", "pods", "podtemplates", "replicationcontrollers", "services", "serviceaccounts", "configmaps"),
    *("resourcequotas", "limitranges", "persistentvolumes", "persistentvolumeclaims"),
    *("deployments.apps", "replicasets.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch", "cronjobs.batch"),
    *("networkpolicies.networking.k8s.io", "ingresses.networking.k8s.io"),
    *("roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io"),
    *("clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io"),
    *("poddisruptionbudgets.policy", "horizontalpodautoscalers.autoscaling"),
    *("endpoints", "endpointslices.discovery.k8s.io"),
)
# Read where the cluster serves them: kinds that rules or the estate know, or that hold a pod template.
EXTENSIONS = (
    *("certificates.cert-manager.io", "issuers.cert-manager.io", "clusterissuers.cert-manager.io"),
    *(f"{kind}.gateway.networking.k8s.io" for kind in ("gateways", "httproutes", "grpcroutes", "tlsroutes")),
    *(f"{kind}.gateway.networking.k8s.io" for kind in ("tcproutes", "udproutes", "referencegrants")),
    *("peerauthentications.security.istio.io", "authorizationpolicies.security.istio.io"),
    *("destinationrules.networking.istio.io", "gateways.networking.istio.io", "virtualservices.networking.istio.io"),
    *("rollouts.argoproj.io", "deploymentconfigs.apps.openshift.io", "services.serving.knative.dev"),
    *("ingressroutes.traefik.io", "ingressroutes.traefik.containo.us", "httpproxies.projectcontour.io"),
    *("routes.route.openshift.io", "scaledobjects.keda.sh", "externalsecrets.external-secrets.io"),
    *("vaultstaticsecrets.secrets.hashicorp.com", "vaultdynamicsecrets.secrets.hashicorp.com"),
)
RBAC = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
BOOTSTRAP = "kubernetes.io/bootstrapping"  # on what the API server restores at every start
CONTROL_PLANE = ("system:", "kubeadm:")


def read(flags: Sequence[str] = ()) -> tuple[Object, ...]:
    """Everything the rules look at, from the cluster of `flags`; raises CheckError, with every kind not read."""
    try:
        served = set(kubectl(["api-resources", "--verbs=list", "--output=name", *flags]).split())
    except KubectlError as error:
        raise CheckError(f"the cluster cannot be read: {error}") from None
    wrong = [
        f"{name}: the cluster does not serve it; is its API server healthy?" for name in BUILT_IN if name not in served
    ]
    found: list[Object] = []
    for name in (*BUILT_IN, *EXTENSIONS):
        if name in served:
            try:
                found += _objects(kubectl(["get", name, "--all-namespaces", "--output=json", *flags]))
            except KubectlError as error:
                wrong.append(f"{name}: {error}; without it the check is not complete")
    if wrong:
        raise CheckError(wrong)
    return tuple(item for item in found if not _is_history(item))


def _objects(text: str) -> Iterator[Object]:
    for body in json.loads(text)["items"]:
        yield Object(without_nulls(body), FILE)


def _is_history(item: Object) -> bool:
    """A ReplicaSet of an earlier roll-out: nothing runs from it, and to come back it passes its Deployment."""
    return item.kind == "ReplicaSet" and item.body.get("spec", {}).get("replicas") == 0 and bool(_owners(item))


def _owners(item: Object) -> Iterable[object]:
    return [owner for owner in item.metadata.get("ownerReferences", ()) if owner.get("controller") is True]


def folded(findings: Iterable[Finding], inventory: Inventory) -> list[Finding]:
    """What a workload's pods only have from its template is said once, of the workload."""
    given, by_uid = list(findings), index(inventory)
    said = {(found.rule, found.message, found.object) for found in given}
    return [
        found
        for found in given
        if found.object is None
        or not any(
            (found.rule, found.message, maker) in said
            for maker in lineage(found.object, by_uid)
            if maker is not found.object
        )
    ]


def is_control_plane(item: Object, also: Collection[str] = ()) -> bool:
    """Whether it belongs to Kubernetes itself, which needs what rules forbid: it is counted apart.

    also: further namespaces that are the cluster's own.
    """
    if item.kind in RBAC and (item.name.startswith(CONTROL_PLANE) or BOOTSTRAP in item.labels):
        return True
    if item.kind == "Namespace":  # Kubernetes makes `default`, too; what stands in it is somebody's
        return item.name in ("default", *SYSTEM_NAMESPACES, *also)
    return item.namespace in (*SYSTEM_NAMESPACES, *also)
