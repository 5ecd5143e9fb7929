"""The configuration of a kind cluster, generated: what can only be said when the cluster is made.

API audit log and encryption at rest are on; API server and edge listen on this machine's loopback only.
"""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from typing import Any

from harness import entrance
from harness.paths import HARNESS

NODE_FILES = HARNESS / "node"
POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
_AUDIT_FOLDER = "/var/log/kubernetes/audit"
_AUDIT_POLICY = "/kind/audit-policy.yaml"
_PATCHES = "/kind/patches"
_ENCRYPTION = "/kind/encryption.yaml"


# It lives as long as this machine does: after a power cut it is made anew, not recovered.
_LASTS: dict[str, Any] = {"extraArgs": [{"name": "unsafe-no-fsync", "value": "true"}]}
# One of each, so nobody to agree with every two seconds.
_ALONE: dict[str, Any] = {"extraArgs": [{"name": "leader-elect", "value": "false"}]}
# How often a pod's files are looked at: a changed route is at the edge within half a minute, not one and a half.
_SOON: dict[str, Any] = {"syncFrequency": "15s"}


def config(name: str, nodes: int, state: Path, *, upstream: bool = False) -> dict[str, Any]:
    """The kind configuration of a cluster whose host-side files are in `state`; of `upstream`'s node image, or ours."""
    mounts = [
        {"hostPath": str(state / "encryption.yaml"), "containerPath": _ENCRYPTION, "readOnly": True},
        {"hostPath": str(state / "audit"), "containerPath": _AUDIT_FOLDER},
    ]
    given = _given() if upstream else []
    made: list[dict[str, Any]] = [
        {"role": "control-plane", "extraMounts": [*mounts, *given]},
        *({"role": "worker", **({"extraMounts": given[:1]} if given else {})} for _ in range(nodes - 1)),
    ]
    if ports := entrance.mappings(name):
        # Only a node with a pod of the edge answers: its Service keeps addresses (externalTrafficPolicy Local).
        # Beside workers the control plane takes no pods, and the edge has one on each of the first two workers.
        made[min(1, nodes - 1)]["extraPortMappings"] = ports
    return {
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "kind": "Cluster",
        "name": name,
        "networking": {
            "apiServerAddress": "127.0.0.1",
            "kubeProxyMode": "iptables",
            "podSubnet": POD_RANGE,
            "serviceSubnet": SERVICE_RANGE,
        },
        "nodes": made,
        "kubeadmConfigPatches": [json.dumps(patch) for patch in _patches(upstream=upstream)],
    }


def encryption() -> dict[str, Any]:
    """An EncryptionConfiguration with a fresh 256-bit key; without `identity`, plain text is unreadable."""
    key = {"name": "key1", "secret": base64.b64encode(secrets.token_bytes(32)).decode()}
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets", "configmaps"], "providers": [{"aescbc": {"keys": [key]}}]}],
    }


def _given() -> list[dict[str, Any]]:
    """The files that our own node image has inside, for one that has not; every node needs the first."""
    inside = {_PATCHES: NODE_FILES / "patches", _AUDIT_POLICY: NODE_FILES / "audit-policy.yaml"}
    return [{"hostPath": str(file), "containerPath": place, "readOnly": True} for place, file in inside.items()]


def _patches(*, upstream: bool = False) -> list[dict[str, Any]]:
    arguments = {
        "audit-policy-file": _AUDIT_POLICY,
        "audit-log-path": f"{_AUDIT_FOLDER}/audit.log",
        "audit-log-maxsize": "100",
        "audit-log-maxbackup": "2",
        "encryption-provider-config": _ENCRYPTION,
    }
    patches = {"patches": {"directory": _PATCHES}}
    # Upstream's image brings versions of its own, and the cgroup driver that kind sets for it.
    ours: dict[str, Any] = {"etcd": {"local": _LASTS}}
    if not upstream:
        ours = {"etcd": {"local": {"imageTag": "3.7.3-0", **_LASTS}}, "dns": {"imageTag": "v1.15.0"}}
    kubelet = {"kind": "KubeletConfiguration", "cgroupDriver": "cgroupfs", "failCgroupV1": False, **_SOON}
    return [
        {
            "kind": "ClusterConfiguration",
            **ours,
            "controllerManager": _ALONE,
            "scheduler": _ALONE,
            "apiServer": {
                "extraArgs": _arguments(arguments),
                "extraVolumes": [
                    _volume("audit-policy", _AUDIT_POLICY, "File", read_only=True),
                    _volume("encryption", _ENCRYPTION, "File", read_only=True),
                    _volume("audit-log", _AUDIT_FOLDER, "Directory", read_only=False),
                ],
            },
        },
        {"kind": "InitConfiguration", **patches},
        {"kind": "JoinConfiguration", **patches},
        *([] if upstream else [kubelet]),
    ]


def _arguments(said: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in said.items()]


def _volume(name: str, path: str, kind: str, *, read_only: bool) -> dict[str, Any]:
    return {"name": name, "hostPath": path, "mountPath": path, "pathType": kind, "readOnly": read_only}
