"""The platform's OpenBao servers, each with its certificate, its volume, and the little it may do in the cluster.

The secret store is one; the embedded issuer of an estate with users is another, in a namespace of its own. A server
needs no hand: it initialises itself (store_config.py, users_config.py) and unseals itself with a key from a Secret that
is made outside Pulumi's state (seal.py). Killing the pod or the node costs seconds, not an operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from garrison import defaults as d
from garrison.cluster import Issuer
from garrison.deployment.platform.certificates import leaf
from garrison.deployment.platform.objects import labels, platform_object
from garrison.deployment.platform.store_config import ADMIN, STORE, server_config
from garrison.deployment.platform.users_config import PEOPLE, users_config
from garrison.manifest import Manifest, compact, container, digest, pod, selector


@dataclass(frozen=True)
class Server:
    """One OpenBao, and what is particular about it."""

    namespace: str
    name: str
    config: Callable[[], dict[str, Any]]
    admins: tuple[str, ...]
    """Service accounts of its namespace as which Garrison enters; no pod has one."""
    enters_databases: bool = False
    """Whether it has a client certificate, with which it makes leases."""

    @property
    def tls(self) -> str:
        return f"{self.name}-tls"

    @property
    def database_client(self) -> str:
        return f"{self.name}-database-client"

    @property
    def seal_key(self) -> str:
        return f"{self.name}-seal-key"

    @property
    def files(self) -> dict[str, str]:
        """What its ConfigMap has."""
        return {"server.json": compact(self.config())}

    @property
    def secrets(self) -> dict[str, str]:
        """The volumes of its Secrets, each mounted at `/run/VOLUME`."""
        found = {"tls": self.tls, "seal": self.seal_key}
        return found | ({"database-client": self.database_client} if self.enters_databases else {})


SECRETS = Server(STORE.namespace, STORE.name, server_config, (ADMIN,), enters_databases=True)
USERS = Server(d.USERS.namespace, d.USERS.name, users_config, (ADMIN, PEOPLE))


def before(server: Server, issuer: Issuer) -> Iterator[Manifest]:
    """What the server mounts or uses, so what has to exist before it."""
    home, name = server.namespace, server.name
    for account in (name, *server.admins):
        yield platform_object("v1", "ServiceAccount", home, account, {"automountServiceAccountToken": False})
    yield from _token_review(server)
    host = f"{name}.{home}"
    served: dict[str, Any] = {"dnsNames": [f"{host}.svc", f"{host}.{d.CLUSTER_DOMAIN}"]}
    if server.enters_databases:  # and is asked on loopback, too
        served = {"dnsNames": [*served["dnsNames"], "localhost"], "ipAddresses": ["127.0.0.1"]}
    yield leaf(home, server.tls, issuer, served | {"usages": ["digital signature", "server auth"]})
    if server.enters_databases:
        # PostgreSQL lets the user in whose name is the certificate's common name
        client = {"commonName": name, "usages": ["digital signature", "client auth"]}
        yield leaf(home, server.database_client, issuer, client)
    yield platform_object("v1", "ConfigMap", home, f"{name}-config", {"data": server.files})


def _token_review(server: Server) -> Iterator[Manifest]:
    """To check the token of a service account; not `system:auth-delegator`, which may do more."""
    name, group = f"{server.name}-token-review", "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}]
    yield platform_object(f"{group}/v1", "ClusterRole", None, name, {"rules": rules})
    binding = {
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": server.name, "namespace": server.namespace}],
    }
    yield platform_object(f"{group}/v1", "ClusterRoleBinding", None, name, binding)


def service(server: Server) -> Manifest:
    port = {"name": "https", "port": d.STORE_PORT, "targetPort": d.STORE_PORT, "protocol": "TCP"}
    spec = {"selector": {d.NAME: server.name}, "ports": [port]}
    return platform_object("v1", "Service", server.namespace, server.name, {"spec": spec})


def stateful_set(
    server: Server, image: str, storage: str = d.STORE_STORAGE, storage_class: str | None = None
) -> Manifest:
    claim: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": storage}}}
    if storage_class:
        claim["storageClassName"] = storage_class
    annotations = {d.CONFIG_HASH: digest(list(server.files.values()))}
    spec = {
        "replicas": 1,
        "serviceName": server.name,
        "selector": selector(server.name),
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
        "template": {
            "metadata": {"labels": labels(server.name), "annotations": annotations},
            "spec": _pod(server, image),
        },
    }
    return platform_object("apps/v1", "StatefulSet", server.namespace, server.name, {"spec": spec})


def _pod(server: Server, image: str) -> dict[str, Any]:
    return pod(
        server.name,
        containers=[_container(server, image)],
        volumes=[
            {"name": "config", "configMap": {"name": f"{server.name}-config", "defaultMode": d.SECRET_MODE}},
            *(_secret(volume, name) for volume, name in server.secrets.items()),
            {"name": "token", "projected": {"defaultMode": d.SECRET_MODE, "sources": _reviewer_token()}},
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
        ],
    )


def _container(server: Server, image: str) -> dict[str, Any]:
    return container(
        server.name,
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
            *({"name": volume, "mountPath": f"/run/{volume}", "readOnly": True} for volume in server.secrets),
            {"name": "token", "mountPath": d.API_TOKEN_DIR, "readOnly": True},
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
