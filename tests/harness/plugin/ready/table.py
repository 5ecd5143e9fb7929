"""Which kinds are awaited, and what their verdict needs to see. Everything else is ready at once."""

from __future__ import annotations

from typing import Final

from harness.plugin.objects import Obj, annotation, name_of
from harness.plugin.ready import control, custom, network, storage, workloads
from harness.plugin.ready.verdict import Awaiter, Need

_SLICES: Final = Need(
    ("discovery.k8s.io/v1", "EndpointSlice"),
    lambda obj: (
        {"labelSelector": f"kubernetes.io/service-name={name_of(obj)}"} if network.needs_endpoints(obj) else None
    ),
)
_CLASSES: Final = Need(("storage.k8s.io/v1", "StorageClass"), lambda obj: {}, cluster_scoped=True)

AWAITERS: Final[dict[tuple[str, str], Awaiter]] = {
    ("apps", "DaemonSet"): Awaiter(workloads.daemonset, {}, on_read=True),
    ("apps", "Deployment"): Awaiter(workloads.deployment, {}, on_read=True),
    ("apps", "StatefulSet"): Awaiter(workloads.statefulset, {}, on_read=True),
    ("batch", "Job"): Awaiter(workloads.job, {}, on_read=True),
    ("", "Pod"): Awaiter(workloads.pod, {}, on_read=True),
    ("", "ReplicationController"): Awaiter(workloads.replication_controller, {}),
    ("", "Service"): Awaiter(network.service, {"slices": _SLICES}, on_read=True),
    ("networking.k8s.io", "Ingress"): Awaiter(network.ingress, {}, on_read=True),
    ("", "PersistentVolume"): Awaiter(storage.volume, {}),
    ("", "PersistentVolumeClaim"): Awaiter(storage.claim, {"classes": _CLASSES}),
    ("", "ResourceQuota"): Awaiter(control.resource_quota, {}),
    ("", "Secret"): Awaiter(control.secret, {}),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Awaiter(control.definition, {}),
    ("cert-manager.io", "Certificate"): Awaiter(control.certificate, {}),
    ("cert-manager.io", "Issuer"): Awaiter(control.certificate, {}),
    ("cert-manager.io", "ClusterIssuer"): Awaiter(control.certificate, {}),
}


def find(inputs: Obj, live: Obj) -> Awaiter | None:
    """How to await this object: the user's own conditions before the table; None for not at all."""
    if annotation(inputs, "skipAwait") == "true":
        return None
    if wanted := annotation(inputs, "waitFor"):
        return custom.awaiter(wanted)
    group = str(live.get("apiVersion")).rpartition("/")[0]
    return AWAITERS.get((group, str(live.get("kind"))))
