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

POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
_AUDIT_FOLDER = "/var/log/kubernetes/audit"
_AUDIT_POLICY = "/kind/audit-policy.yaml"
_ENCRYPTION = "/kind/encryption.yaml"


def config(name: str, nodes: int, state: Path) -> dict[str, Any]:
    """The kind configuration of a cluster whose host-side files are in `state`."""
    mounts = [
        {"hostPath": str(state / "encryption.yaml"), "containerPath": _ENCRYPTION, "readOnly": True},
        {"hostPath": str(state / "audit"), "containerPath": _AUDIT_FOLDER},
    ]
    made: list[dict[str, Any]] = [
        {"role": "control-plane", "extraMounts": mounts},
        *({"role": "worker"} for _ in range(nodes - 1)),
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
        "kubeadmConfigPatches": [json.dumps(patch) for patch in _patches()],
    }


def encryption() -> dict[str, Any]:
    """An EncryptionConfiguration with a fresh 256-bit key; without `identity`, plain text is unreadable."""
    key = {"name": "key1", "secret": base64.b64encode(secrets.token_bytes(32)).decode()}
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets", "configmaps"], "providers": [{"aescbc": {"keys": [key]}}]}],
    }


def _patches() -> list[dict[str, Any]]:
    arguments = {
        "audit-policy-file": _AUDIT_POLICY,
        "audit-log-path": f"{_AUDIT_FOLDER}/audit.log",
        "audit-log-maxsize": "100",
        "audit-log-maxbackup": "2",
        "encryption-provider-config": _ENCRYPTION,
    }
    patches = {"patches": {"directory": "/kind/patches"}}
    return [
        {
            "kind": "ClusterConfiguration",
            # It lives as long as this machine does: after a power cut it is made anew, not recovered.
            "etcd": {"local": {"imageTag": "3.7.3-0", "extraArgs": _arguments({"unsafe-no-fsync": "true"})}},
            # One of each, so nobody to agree with every two seconds.
            "controllerManager": {"extraArgs": _arguments({"leader-elect": "false"})},
            "scheduler": {"extraArgs": _arguments({"leader-elect": "false"})},
            "dns": {"imageTag": "v1.15.0"},
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
        {"kind": "KubeletConfiguration", "cgroupDriver": "cgroupfs", "failCgroupV1": False},
    ]


def _arguments(said: dict[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in said.items()]


def _volume(name: str, path: str, kind: str, *, read_only: bool) -> dict[str, Any]:
    return {"name": name, "hostPath": path, "mountPath": path, "pathType": kind, "readOnly": read_only}
