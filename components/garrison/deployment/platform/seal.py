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


class SealKeyProvider(ResourceProvider):
    """Makes the Secret if it is missing, never changes it, takes it away at the end."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        namespace, name = props["namespace"], props["name"]
        if not _exists(namespace, name):
            kubectl(["create", "--filename", "-"], stdin=json.dumps(_secret(namespace, name)))
        return CreateResult(f"{namespace}/{name}", {"namespace": namespace, "name": name})

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        return ReadResult(id_ if _exists(*id_.split("/")) else None, props)

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        namespace, name = _id.split("/")
        kubectl(["delete", "secret", name, "--namespace", namespace, "--ignore-not-found"])


class SealKey(Resource, name="SealKey"):
    """The Secret with the unseal key, under key `key`."""

    def __init__(self, namespace: str, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(SealKeyProvider(), f"{namespace}/{name}", {"namespace": namespace, "name": name}, opts)


def _exists(namespace: str, name: str) -> bool:
    return bool(kubectl(["get", "secret", name, "--namespace", namespace, "--ignore-not-found", "--output", "name"]))


def _secret(namespace: str, name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {"name": name, "namespace": namespace, "labels": labels(name)},
        "data": {"key": base64.b64encode(secrets.token_bytes(32)).decode()},
    }
