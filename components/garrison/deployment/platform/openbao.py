"""The secret store: one OpenBao server, its certificate, its volume, and the little it may do in the cluster.

It needs no hand: it initialises itself (store_config.py) and unseals itself with a key from a Secret that is made
outside Pulumi's state (seal.py). Killing the pod or the node costs seconds, not an operator.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from garrison import defaults as d
from garrison.deployment.platform.certificates import leaf
from garrison.deployment.platform.objects import labels, platform_object
from garrison.deployment.platform.store_config import ADMIN, server_config
from garrison.manifest import Manifest, compact, container, digest, selector

NAMESPACE = d.STORE_NAMESPACE
NAME = "openbao"
TLS = "openbao-tls"
DATABASE_CLIENT = "openbao-database-client"
SEAL_KEY = "openbao-seal-key"


def before(issuer: str) -> Iterator[Manifest]:
    """What the server mounts or uses, so what has to exist before it."""
    yield platform_object("v1", "ServiceAccount", NAMESPACE, NAME, {"automountServiceAccountToken": False})
    yield platform_object("v1", "ServiceAccount", NAMESPACE, ADMIN, {"automountServiceAccountToken": False})
    yield from _token_review()
    host = f"{NAME}.{NAMESPACE}"
    served = {"dnsNames": [f"{host}.svc", f"{host}.{d.CLUSTER_DOMAIN}", "localhost"], "ipAddresses": ["127.0.0.1"]}
    yield leaf(NAMESPACE, TLS, issuer, served | {"usages": ["digital signature", "server auth"]})
    # PostgreSQL lets the user in whose name is the certificate's common name
    client = {"commonName": NAME, "usages": ["digital signature", "client auth"]}
    yield leaf(NAMESPACE, DATABASE_CLIENT, issuer, client)
    yield platform_object("v1", "ConfigMap", NAMESPACE, f"{NAME}-config", {"data": _config()})


def _config() -> dict[str, str]:
    return {"server.json": compact(server_config())}


def _token_review() -> Iterator[Manifest]:
    """To check the token of a service account; not `system:auth-delegator`, which may do more."""
    name, group = "openbao-token-review", "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}]
    yield platform_object(f"{group}/v1", "ClusterRole", None, name, {"rules": rules})
    binding = {
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}],
    }
    yield platform_object(f"{group}/v1", "ClusterRoleBinding", None, name, binding)


def service() -> Manifest:
    port = {"name": "https", "port": d.STORE_PORT, "targetPort": d.STORE_PORT, "protocol": "TCP"}
    return platform_object("v1", "Service", NAMESPACE, NAME, {"spec": {"selector": {d.NAME: NAME}, "ports": [port]}})


def server(image: str, storage: str = d.STORE_STORAGE, storage_class: str | None = None) -> Manifest:
    claim: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}
    if storage_class:
        claim["storageClassName"] = storage_class
    spec = {
        "replicas": 1,
        "serviceName": NAME,
        "selector": selector(NAME),
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
        "template": {
            "metadata": {"labels": labels(NAME), "annotations": {d.CONFIG_HASH: digest(list(_config().values()))}},
            "spec": _pod(image),
        },
    }
    return platform_object("apps/v1", "StatefulSet", NAMESPACE, NAME, {"spec": spec})


def _pod(image: str) -> dict[str, Any]:
    return {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": d.pod_security_context(),
        "terminationGracePeriodSeconds": d.GRACE_SECONDS,
        "containers": [_container(image)],
        "volumes": [
            {"name": "config", "configMap": {"name": f"{NAME}-config", "defaultMode": d.SECRET_MODE}},
            _secret("tls", TLS),
            _secret("database-client", DATABASE_CLIENT),
            _secret("seal", SEAL_KEY),
            {"name": "token", "projected": {"defaultMode": d.SECRET_MODE, "sources": _reviewer_token()}},
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
        ],
    }


def _container(image: str) -> dict[str, Any]:
    return container(
        NAME,
        image,
        resources=d.STORE_RESOURCES,
        security=d.container_security_context(d.STORE_UID),
        command=["/usr/bin/bao", "server", "-config=/etc/openbao/server.json"],
        ports=[{"name": "https", "containerPort": d.STORE_PORT}],
        # `health` is 200 only for a server that is initialised, unsealed and active
        startupProbe=_health("/v1/sys/health", period=1, failures=300),
        readinessProbe=_health("/v1/sys/health", period=5, failures=2),
        livenessProbe=_health("/v1/sys/health?standbyok=true&sealedcode=204&uninitcode=204", period=10, failures=6),
        volumeMounts=[
            {"name": "data", "mountPath": "/openbao/data"},
            {"name": "config", "mountPath": "/etc/openbao", "readOnly": True},
            {"name": "tls", "mountPath": "/run/tls", "readOnly": True},
            {"name": "database-client", "mountPath": "/run/database-client", "readOnly": True},
            {"name": "seal", "mountPath": "/run/seal", "readOnly": True},
            {"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 a volume of its own
        ],
    )


def _health(path: str, *, period: int, failures: int) -> dict[str, Any]:
    get = {"path": path, "port": d.STORE_PORT, "scheme": "HTTPS"}
    return {"httpGet": get, "periodSeconds": period, "timeoutSeconds": 3, "failureThreshold": failures}


def _secret(volume: str, name: str) -> dict[str, Any]:
    return {"name": volume, "secret": {"secretName": name, "defaultMode": d.SECRET_MODE}}


def _reviewer_token() -> list[dict[str, Any]]:
    """What automounting would give, but only here and short-lived: OpenBao reads it anew when it changes."""
    return [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": d.STORE_REVIEWER_SECONDS}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
