"""The key that unseals the store: 32 random bytes that exist in one Kubernetes Secret and nowhere else.

A plain Secret resource would put the value into Pulumi's state. This dynamic resource knows only the name: it makes
the value inside `create` and hands it straight to the API server, which keeps it encrypted in etcd.
"""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, ResourceProvider

from garrison.deployment.platform.objects import labels
from garrison.kube import kubectl

OWNER = "garrison.dev/seal-key-of"


class SealKeyProvider(ResourceProvider):
    """Makes the Secret if it is missing, never changes its value, takes it away at the end.

    A resource that is renamed is made anew before it is deleted under its old name. Who takes the Secret over says so
    on it, and only who did so last takes it away: without the key the store's volume is lost.
    """

    def create(self, props: dict[str, Any]) -> CreateResult:
        namespace, name = props["namespace"], props["name"]
        owner = secrets.token_hex(8)
        if _exists(namespace, name):
            kubectl(["annotate", "secret", name, "--namespace", namespace, "--overwrite", f"{OWNER}={owner}"])
        else:
            kubectl(["create", "--filename", "-"], stdin=json.dumps(_secret(namespace, name, owner)))
        return CreateResult(f"{namespace}/{name}", {"namespace": namespace, "name": name, "owner": owner})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_ if _exists(*id_.split("/")) else None, props)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        namespace, name = _id.split("/")
        if _owner(namespace, name) == props.get("owner", ""):
            kubectl(["delete", "secret", name, "--namespace", namespace, "--ignore-not-found"])


def ensure(namespace: str, name: str) -> bool:
    """For whoever deploys by files: the Secret, if it is missing. Whether it was made now."""
    if _exists(namespace, name):
        return False
    kubectl(["create", "--filename", "-"], stdin=json.dumps(_secret(namespace, name, secrets.token_hex(8))))
    return True


class SealKey(Resource, name="SealKey"):
    """The Secret with the unseal key, under key `key`."""

    def __init__(self, namespace: str, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(SealKeyProvider(), f"{namespace}/{name}", {"namespace": namespace, "name": name}, opts)


def _exists(namespace: str, name: str) -> bool:
    return bool(kubectl(["get", "secret", name, "--namespace", namespace, "--ignore-not-found", "--output", "name"]))


def _owner(namespace: str, name: str) -> str:
    """Who took the key over last; nobody for one of version 0.1.0, and where there is none."""
    select = "jsonpath={.metadata.annotations.garrison\\.dev/seal-key-of}"
    return kubectl(["get", "secret", name, "--namespace", namespace, "--ignore-not-found", "--output", select])


def _secret(namespace: str, name: str, owner: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {"name": name, "namespace": namespace, "labels": labels(name), "annotations": {OWNER: owner}},
        "data": {"key": base64.b64encode(secrets.token_bytes(32)).decode()},
    }
