"""A container that no rule refuses: where a test refuses a pod, it is for what else is in it."""

from __future__ import annotations

from typing import Any

CONTAINER: dict[str, Any] = {
    "name": "app",
    "image": f"registry.k8s.io/pause@sha256:{'0' * 64}",
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}
