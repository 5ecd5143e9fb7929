"""Kubernetes RBAC layer: one service account per workload, which may do nothing at the API server but what is declared.

Only a service with permissions has a Role, and only its application a token for the API server. A workload that needs
the secret store gets a projected token for that audience, which the API server itself refuses (CIS 5.1.5, 5.1.6).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.manifest import Manifest, manifest
from garrison.model.graph import Graph, Permission
from garrison.model.names import CLUSTER_CA
from garrison.words import Ref

Json = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"
VOLUME = "kubernetes-api"


def manifests(graph: Graph) -> Iterator[Manifest]:
    for service in graph.workloads:
        yield _account(graph, service.ref)
    for database in graph.databases:
        yield _account(graph, database.ref)
    for ref, permissions in sorted(graph.permissions_of.items()):
        yield _role(graph, ref, permissions)
        yield _binding(graph, ref)


def _account(graph: Graph, ref: Ref) -> Manifest:
    return manifest("v1", "ServiceAccount", ref, {"automountServiceAccountToken": False}, app=graph.name)


def _role(graph: Graph, ref: Ref, permissions: tuple[Permission, ...]) -> Manifest:
    rules = [_rule(permission) for permission in permissions]
    return manifest(f"{GROUP}/v1", "Role", ref, {"rules": rules}, app=graph.name)


def _rule(permission: Permission) -> Json:
    names = {"resourceNames": list(permission.names)} if permission.names else {}  # an empty list would mean all
    return {
        "apiGroups": [permission.group],
        "resources": [permission.resource],
        **names,
        "verbs": list(permission.verbs),
    }


def _binding(graph: Graph, ref: Ref) -> Manifest:
    body = {
        "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": ref.name},
        "subjects": [{"kind": "ServiceAccount", "name": ref.name, "namespace": ref.namespace}],
    }
    return manifest(f"{GROUP}/v1", "RoleBinding", ref, body, app=graph.name)


# --- in the pod ------------------------------------------------------------------------------------------------------


def volumes(graph: Graph, ref: Ref) -> list[Json]:
    """What the kubelet would mount for everybody, for those who need it, and for minutes instead of an hour."""
    if ref not in graph.permissions_of:
        return []
    sources: list[Json] = [
        # no audience is named: it is then the API server's own, whose name differs from cluster to cluster
        {"serviceAccountToken": {"path": "token", "expirationSeconds": d.TOKEN_SECONDS}},
        {"configMap": {"name": CLUSTER_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    return [{"name": VOLUME, "projected": {"defaultMode": d.SECRET_MODE, "sources": sources}}]


def app_mounts(graph: Graph, ref: Ref) -> list[Json]:
    if ref not in graph.permissions_of:
        return []
    return [{"name": VOLUME, "mountPath": d.API_TOKEN_DIR, "readOnly": True}]
