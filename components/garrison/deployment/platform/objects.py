"""Constructors of platform objects: the labels every one of them carries, and its namespaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from garrison import defaults as d
from garrison.manifest import Manifest


def labels(name: str) -> dict[str, str]:
    return {d.NAME: name, d.PART_OF: d.PLATFORM, d.MANAGED_BY: d.MANAGER}


def platform_object(api: str, kind: str, namespace: str | None, name: str, body: Mapping[str, Any]) -> Manifest:
    """One object of the platform; `namespace` is None for what belongs to the whole cluster."""
    meta: dict[str, Any] = {"name": name, "labels": labels(name)}
    return {"apiVersion": api, "kind": kind, "metadata": meta | ({"namespace": namespace} if namespace else {}), **body}


def namespace(name: str) -> Manifest:
    """A platform namespace under Pod Security `restricted`.

    It does not carry the label of the estate's namespaces, by which the secret store tells who may reach it.
    """
    security = {key: value for key, value in d.namespace_labels().items() if key.startswith("pod-security")}
    wanted = labels(name) | security | {d.TRUST_LABEL: "true"}
    del wanted[d.MANAGED_BY]
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": wanted}}
