"""Which fields cannot change in place: the table the official plugin decides by.

Paths are relative to the object, list positions left out. ConfigMaps and Secrets are replaced
unless the provider is told that they are mutable, as in the official plugin.
"""

# ruff: noqa: SIM905 - a table of words is read as words

from __future__ import annotations

from typing import Final

from harness.plugin.objects import Obj
from harness.plugin.settings import Settings

_IDENTITY: Final = ("metadata.name", "metadata.namespace")
_CONTAINER: Final = (
    "args command env image imagePullPolicy lifecycle livenessProbe ports readinessProbe resources "
    "securityContext stdin stdinOnce terminationMessagePath terminationMessagePolicy tty "
    "volumeDevices volumeMounts workingDir"
).split()
_POD: Final = (
    "affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostAliases "
    "hostIPC hostNetwork hostPID hostname imagePullSecrets nodeName nodeSelector overhead "
    "preemptionPolicy priority priorityClassName readinessGates restartPolicy runtimeClassName "
    "schedulerName securityContext serviceAccount serviceAccountName shareProcessNamespace "
    "subdomain terminationGracePeriodSeconds volumes"
).split()
_VOLUME: Final = (
    "awsElasticBlockStore azureDisk azureFile cephfs cinder csi fc flexVolume flocker "
    "gcePersistentDisk glusterfs hostPath iscsi local nfs photonPersistentDisk portworxVolume "
    "quobyte rbd scaleIO storageos vsphereVolume"
).split()
_POD_CONTAINERS: Final = [f"{group}.{field}" for group in ("containers", "initContainers") for field in _CONTAINER]


def _spec(*fields: str) -> tuple[str, ...]:
    return tuple(f"spec.{field}" for field in fields)


TABLE: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("apps", "DaemonSet"): _spec("selector"),
    ("apps", "Deployment"): _spec("selector"),
    ("apps", "StatefulSet"): _spec(
        "podManagementPolicy",
        "revisionHistoryLimit",
        "selector",
        "serviceName",
        "volumeClaimTemplates",
    ),
    ("batch", "Job"): _spec("completions", "parallelism", "selector", "template"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
    ("", "PersistentVolume"): _spec(*_VOLUME),
    ("", "PersistentVolumeClaim"): _spec("accessModes", "selector", "storageClassName", "volumeName"),
    ("", "Pod"): _spec(*_POD, *_POD_CONTAINERS),
    ("", "ResourceQuota"): _spec("scopes"),
    ("", "Secret"): ("type",),
    ("", "Service"): _spec("clusterIP"),
}


def group_of(api_version: str) -> str:
    """The API group, empty for the core group."""
    return api_version.rpartition("/")[0]


def fixed_fields(obj: Obj, settings: Settings) -> tuple[str, ...]:
    """The paths whose change means a replacement of this object."""
    kind = str(obj.get("kind") or "")
    key = (group_of(str(obj.get("apiVersion") or "")), kind)
    fields = TABLE.get(key, ())
    mutable = {"ConfigMap": settings.config_map_mutable, "Secret": settings.secret_mutable}
    if key[0] == "" and kind in mutable and (obj.get("immutable") or not mutable[kind]):
        extra = ("binaryData",) if kind == "ConfigMap" else ("stringData",)
        fields = (*fields, "data", *extra)
    return (*_IDENTITY, *fields)
