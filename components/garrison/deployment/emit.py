"""Pulumi, thin: one ComponentResource per App that emits what the graph derives, and decides nothing.

Order is the only thing added here: what guards a workload (namespace, policies, identity, configuration) exists
before the workload does, a database runs before the secret store connects to it, and leases exist before their users.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

import pulumi

from garrison.declare.app import App
from garrison.deployment.vault import StoreConnection, StoreResource
from garrison.derive import render
from garrison.derive.secrets import store_objects
from garrison.manifest import Manifest
from garrison.model.graph import Graph

Adjust = Callable[[Manifest], Manifest]
WORKLOADS = ("Deployment", "DaemonSet", "Job")
DATABASES = ("StatefulSet",)
ENTRANCES = ("Service",)


class Estate(pulumi.ComponentResource):
    """Everything that one App derives, as children; its registered output is the graph itself."""

    def __init__(
        self,
        graph: Graph,
        manifests: Sequence[Manifest],
        *,
        store: StoreConnection | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("garrison:index:Estate", graph.name, None, opts)
        self._namespaces: dict[str, pulumi.Resource] = {}
        guards = self._emit((m for m in manifests if m["kind"] not in WORKLOADS + DATABASES + ENTRANCES), after=[])
        # a Service is ready when pods stand behind it, so nothing that makes pods may wait for one
        self._emit((m for m in manifests if m["kind"] in ENTRANCES), after=guards)
        databases = self._emit((m for m in manifests if m["kind"] in DATABASES), after=guards)
        stored = self._store(graph, store, after=[*guards, *databases])
        self._emit((m for m in manifests if m["kind"] in WORKLOADS), after=[*guards, *stored])
        self.register_outputs({"graph": json.loads(graph.to_json())})

    def _emit(self, manifests: Iterable[Manifest], *, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        return [self._object(item, after) for item in manifests]

    def _object(self, item: Manifest, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        namespace = item["metadata"].get("namespace", "")
        home = [self._namespaces[namespace]] if namespace in self._namespaces else []
        opts = pulumi.ResourceOptions(parent=self, depends_on=[*home, *after])
        resource = kubernetes_object(item, opts)
        if item["kind"] == "Namespace":
            self._namespaces[item["metadata"]["name"]] = resource
        return resource

    def _store(
        self, graph: Graph, store: StoreConnection | None, *, after: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        made: list[pulumi.Resource] = []
        for wanted in store_objects(graph):
            if store is None:
                raise pulumi.RunError(f"the estate needs {wanted.path} in the secret store, and no store is given")
            # a database role needs its connection, a login role its policy: in the order they are derived
            opts = pulumi.ResourceOptions(parent=self, depends_on=[*after, *made])
            made.append(StoreResource(wanted.path, wanted.body, connection=store, opts=opts))
        return made


def kubernetes_object(item: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Any manifest as a resource of the Kubernetes provider, its fields unchanged, under the name people know."""
    meta = item["metadata"]
    name = "/".join(filter(None, [meta.get("namespace"), meta["name"]]))
    api = item["apiVersion"] if "/" in item["apiVersion"] else f"core/{item['apiVersion']}"
    return pulumi.CustomResource(f"kubernetes:{api}:{item['kind']}", name, item, opts)


def deploy(
    app: App,
    *,
    adjust: Adjust | None = None,
    store: StoreConnection | None = None,
    opts: pulumi.ResourceOptions | None = None,
) -> Estate:
    """Deploy an App: check and freeze it, derive every object, hand them to Pulumi.

    `adjust` sees each manifest last and may change it; the policy rules run after it, so it cannot quietly take a
    protection away. Raises IntentError with every problem of the declaration before anything is registered.
    """
    graph = app.graph()
    manifests = render(graph)
    return Estate(graph, [adjust(item) for item in manifests] if adjust else manifests, store=store, opts=opts)
