"""Plain Kubernetes manifests as dictionaries, with the few constructors every layer shares."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from garrison import defaults as d
from garrison.defaults import MANAGED_BY, MANAGER, NAME, PART_OF
from garrison.words import Ref, Resources

Manifest = dict[str, Any]


def manifest(api: str, kind: str, ref: Ref, body: Mapping[str, Any], *, app: str) -> Manifest:
    """A namespaced object that carries the recommended labels; `app` is the name of the App it is derived from."""
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace, "labels": labels(ref.name, app)},
        **body,
    }


def labels(name: str, app: str) -> dict[str, str]:
    """Kubernetes' recommended labels."""
    return {NAME: name, PART_OF: app, MANAGED_BY: MANAGER}


def selector(name: str) -> dict[str, dict[str, str]]:
    """Selects the pods of one service within its namespace."""
    return {"matchLabels": {NAME: name}}


def container(name: str, image: str, *, resources: Resources, security: Mapping[str, Any], **more: Any) -> Manifest:
    """A container that names its image, its bounds and its security context; `more` is the rest of its fields."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {
            "requests": {"cpu": resources.cpu, "memory": resources.memory},
            "limits": {"cpu": resources.cpu_limit, "memory": resources.memory_limit},
        },
        "securityContext": dict(security),
        **more,
    }


def pod(account: str, **more: Any) -> Manifest:
    """The spec of a pod that has an account and no token of it, hardened; `more` is the rest of its fields."""
    return {
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": d.pod_security_context(),
        "terminationGracePeriodSeconds": d.GRACE_SECONDS,
        **more,
    }


def claim(name: str, size: str, storage_class: str | None) -> Manifest:
    """A volume of one pod that outlives it, of that storage class or of the cluster's own default."""
    chosen = {"storageClassName": storage_class} if storage_class else {}
    asked = {"requests": {"storage": size}}
    return {"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": asked, **chosen}}


def compact(value: object) -> str:
    """JSON in one stable form, used for configuration files inside ConfigMaps."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def keyed(**written: str) -> str:
    """The JSON of an object, in the same form, of which every value is written already."""
    return "{" + ",".join(f'"{key}":{written[key]}' for key in sorted(written)) + "}"


def listed(written: Iterable[str]) -> str:
    """The JSON of a list of which everything is written already."""
    return f"[{','.join(written)}]"


def digest(texts: Sequence[str]) -> str:
    """A short content key, for the annotation that rolls a workload."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def identity(item: Manifest) -> tuple[str, str, str, str]:
    """apiVersion, kind, namespace and name: what makes an object the same object."""
    meta = item["metadata"]
    return item["apiVersion"], item["kind"], meta.get("namespace", ""), meta["name"]


def variable(name: str) -> str:
    """A service name or a secret path as the stem of an environment variable."""
    return re.sub(r"[^A-Z0-9]", "_", name.upper())
