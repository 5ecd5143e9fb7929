"""The few things done to one object on the server, addressed by what the object says it is."""

from __future__ import annotations

from typing import Any, Final

from harness.plugin.client import APPLY, JSON_PATCH, Client
from harness.plugin.discovery import Discovery, Resource
from harness.plugin.errors import ApiError, KindMissing
from harness.plugin.kubeconfig import Cluster
from harness.plugin.objects import Obj, dig, name_of, namespace_of

DRY_RUN: Final = {"dryRun": "All"}


class Api:
    """One API server, its kinds and the namespace used where an object names none."""

    def __init__(self, cluster: Cluster, namespace: str = "") -> None:
        self.client = Client(cluster)
        self.discovery = Discovery(self.client)
        self.namespace = namespace or cluster.namespace

    def resource(self, obj: Obj) -> Resource:
        return self.discovery.find(str(obj.get("apiVersion")), str(obj.get("kind")))

    def namespaced(self, obj: Obj) -> bool | None:
        """Whether objects of this kind live in a namespace; None while nobody can tell."""
        try:
            return self.resource(obj).namespaced
        except KindMissing:
            return None

    def placed(self, obj: Obj) -> Obj:
        """The object in the namespace where it goes, without one if its kind has none."""
        namespaced = self.namespaced(obj)
        metadata = dict(obj.get("metadata") or {})
        if namespaced is False:
            metadata.pop("namespace", None)
        elif namespaced and not metadata.get("namespace"):
            metadata["namespace"] = self.namespace
        return {**obj, "metadata": metadata}

    def path(self, obj: Obj) -> str:
        resource = self.resource(obj)
        return resource.path(namespace_of(obj) or self.namespace, name_of(obj))

    def get(self, obj: Obj) -> Obj:
        return self.client.get(self.path(obj))

    def find(self, obj: Obj) -> Obj | None:
        """The live object, or None where it does not exist."""
        try:
            return self.get(obj)
        except ApiError as problem:
            if problem.not_found:
                return None
            raise

    def apply(self, obj: Obj, manager: str, *, force: bool = False, dry_run: bool = False) -> Obj:
        """Server-side apply."""
        query = {"fieldManager": manager, "force": str(force).lower(), "fieldValidation": "Warn"}
        query |= DRY_RUN if dry_run else {}
        placed = self.placed(obj)
        return self.client.patch(self.path(placed), placed, APPLY, query)

    def replace(self, obj: Obj, manager: str, *, dry_run: bool = False) -> Obj:
        """Put the whole object (it must carry the resourceVersion it replaces)."""
        query = {"fieldManager": manager} | (DRY_RUN if dry_run else {})
        return self.client.put(self.path(obj), obj, query)

    def edit(self, obj: Obj, operations: list[Obj]) -> Obj:
        """A JSON patch."""
        return self.client.patch(self.path(obj), operations, JSON_PATCH, {})

    def delete(self, obj: Obj, policy: str) -> Obj:
        return self.client.delete(self.path(obj), {"propagationPolicy": policy})

    def list(self, api_version: str, kind: str, namespace: str, **query: str) -> list[Obj]:
        """Objects of a kind; none where the kind is not served."""
        try:
            resource = self.discovery.find(api_version, kind)
        except KindMissing:
            return []
        found = self.client.get(resource.path(namespace), query)
        identity: dict[str, Any] = {"apiVersion": api_version, "kind": kind}
        return [{**identity, **item} for item in found.get("items") or []]


def being_deleted(obj: Obj) -> bool:
    """Whether the object is waiting for its finalizers."""
    return bool(dig(obj, "metadata", "deletionTimestamp"))
