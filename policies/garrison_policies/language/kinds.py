"""Which API a kind belongs to: Calico's NetworkPolicy and a message bus called Namespace are not Kubernetes' own.

Rules name kinds. A name means what it says only in the groups below, which at admission are part of the match; with
this table it is so in files, previews and on live clusters too. The core group is taken for every kind: nothing else
lives there, and OpenShift's old objects say it.
"""

from __future__ import annotations

from typing import Final

_APPS = ("apps", "extensions")
_RBAC = ("rbac.authorization.k8s.io", "authorization.openshift.io")
_OWN = {
    "autoscaling": "HorizontalPodAutoscaler",
    "apps.openshift.io": "DeploymentConfig",
    "argoproj.io": "Rollout",
    "batch": "Job CronJob",
    "bitnami.com": "SealedSecret",
    "cert-manager.io": "Certificate",
    "discovery.k8s.io": "EndpointSlice",
    "gateway.networking.k8s.io": "Gateway HTTPRoute GRPCRoute TLSRoute TCPRoute UDPRoute",
    "keda.sh": "ScaledObject",
    "networking.istio.io": "VirtualService DestinationRule",
    "policy": "PodDisruptionBudget",
    "projectcontour.io": "HTTPProxy",
    "route.openshift.io": "Route",
    "secrets.hashicorp.com": "VaultStaticSecret VaultDynamicSecret",
    "security.istio.io": "PeerAuthentication",
}
_CORE = (
    "Pod PodTemplate ReplicationController Namespace Service ServiceAccount ConfigMap Secret Endpoints "
    "PersistentVolume PersistentVolumeClaim"
)

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    **{kind: (group,) for group, kinds in _OWN.items() for kind in kinds.split()},
    **dict.fromkeys(_CORE.split(), ()),
    **dict.fromkeys(("Deployment", "ReplicaSet", "DaemonSet"), _APPS),
    "StatefulSet": ("apps",),
    **dict.fromkeys(("NetworkPolicy", "Ingress"), ("networking.k8s.io", "extensions")),
    **dict.fromkeys(("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"), _RBAC),
    "IngressRoute": ("traefik.io", "traefik.containo.us"),
    "ExternalSecret": ("external-secrets.io", "kubernetes-client.io"),
}


def meaning(group: str, kind: str) -> str:
    """The kind as rules speak of it: its name in its own API, with the group behind it in another."""
    known = not group or group in GROUPS.get(kind, (group,))
    return kind if known else f"{kind}.{group}"
