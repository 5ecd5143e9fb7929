"""Pulumi, thin: one ComponentResource per App that emits what the graph derives, and decides nothing.

Order is the only thing added here (`deployment.derived` has it).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import pulumi

from garrison.deployment import derived
from garrison.deployment.derived import Contents, Derived
from garrison.deployment.objects import kubernetes_object
from garrison.deployment.vault import GeneratedSecret, StoreConnection, StoreResource, StoreRights
from garrison.errors import IntentError, Problem
from garrison.manifest import Manifest, identity
from garrison.model.graph import Graph
from garrison.words import Ref

UNAWAITED = "pulumi.com/skipAwait"


class Part(pulumi.ComponentResource):
    """What is made for one service, job or database, or for one of the gateways: a branch of the tree."""

    def __init__(self, ref: Ref, opts: pulumi.ResourceOptions) -> None:
        super().__init__("garrison:index:Part", str(ref), None, opts)
        self.register_outputs({})


class Estate(pulumi.ComponentResource):
    """Everything that one App derives; it registers the graph, the cluster and what was adjusted.

    The policy pack refuses any manifest that is not as derived and not among the adjusted.

    graph: what was declared.
    addresses: where each host is, and each service that can be called: by what it is called, its URL.
    identities: the SPIFFE id of each workload.
    """

    graph: Graph
    addresses: dict[str, str]
    identities: dict[str, str]

    def __init__(
        self,
        what: Derived,
        *,
        store: StoreConnection | None = None,
        users: StoreConnection | None = None,
        keep_data: bool = True,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("garrison:index:Estate", what.graph.name, None, opts)
        self.graph, self.addresses = what.graph, derived.addresses(what.graph, what.cluster)
        self.identities = {str(one.ref): what.graph.spiffe_id(one.ref) for one in what.graph.workloads}
        self._namespaces: dict[str, pulumi.Resource] = {}
        self._parts: dict[Ref, Part] = {}
        self._owners = derived.owners(what.graph, what.manifests)
        self._lasting = derived.lasting(what.manifests) if keep_data else frozenset()
        stages = derived.stages(what.graph, what.manifests)
        guards = self._emit(stages.guards, after=[])
        self._emit(map(_unawaited, stages.entrances), after=guards)
        databases = self._emit(stages.databases, after=guards)
        stored = self._store(derived.secrets(what.graph, what.cluster), store, [*guards, *databases])
        stored += self._store(derived.users(what.graph, what.cluster), users, guards)
        workloads = self._emit(stages.workloads, after=[*guards, *stored])
        self._emit(stages.jobs, after=[*guards, *databases, *stored, *workloads])
        truth = {"graph": json.loads(what.graph.to_json()), "cluster": json.loads(what.cluster.to_json())}
        seen = {"addresses": self.addresses, "identities": self.identities}
        self.register_outputs({**truth, **seen, "adjusted": list(what.adjusted)})

    def _emit(self, manifests: Iterable[Manifest], *, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        return [self._object(item, after) for item in manifests]

    def _object(self, item: Manifest, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        namespace = item["metadata"].get("namespace", "")
        home = [self._namespaces[namespace]] if namespace in self._namespaces else []
        # what a Job runs cannot be changed: another one takes its name when it and its pods are gone
        once = True if item["kind"] == "Job" else None
        protect = True if identity(item) in self._lasting else None
        opts = pulumi.ResourceOptions(depends_on=[*home, *after], delete_before_replace=once, protect=protect)
        resource = kubernetes_object(item, pulumi.ResourceOptions.merge(opts, self._place(item)))
        if item["kind"] == "Namespace":
            self._namespaces[item["metadata"]["name"]] = resource
        return resource

    def _place(self, item: Manifest) -> pulumi.ResourceOptions:
        """Where in the tree an object is. All were once the estate's own children, and are still the same objects."""
        ref = self._owners.get(identity(item))
        if ref is None:
            return pulumi.ResourceOptions(parent=self)
        if ref not in self._parts:
            self._parts[ref] = Part(ref, pulumi.ResourceOptions(parent=self))
        return pulumi.ResourceOptions(parent=self._parts[ref], aliases=[pulumi.Alias(parent=self)])

    def _store(
        self, kept: Contents, where: StoreConnection | None, after: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        made: list[pulumi.Resource] = []
        if where and (kept.objects or kept.generated):
            opts = pulumi.ResourceOptions(parent=self, depends_on=[*after])
            paths = [one.path for one in kept.objects]
            made.append(StoreRights(paths, kept.generated, connection=where, opts=opts))
        after = [*after, *made]
        for wanted in kept.objects:
            if where is None:  # `deploy` has refused this; an Estate made by hand is refused here
                raise IntentError([storeless(wanted.path)])
            # a database role needs its connection, a login role its policy: in the order they are derived
            opts = pulumi.ResourceOptions(parent=self, depends_on=[*after, *made])
            made.append(StoreResource(wanted.path, wanted.body, connection=where, opts=opts))
        if where:
            opts = pulumi.ResourceOptions(parent=self, depends_on=[*after])
            made += [GeneratedSecret(path, connection=where, opts=opts) for path in kept.generated]
        return made


def _unawaited(item: Manifest) -> Manifest:
    """The same, done as soon as it is there: a note to Pulumi, which the object keeps."""
    metadata = item["metadata"]
    noted = {**metadata, "annotations": {**metadata.get("annotations", {}), UNAWAITED: "true"}}
    return {**item, "metadata": noted}


def storeless(path: str) -> Problem:
    """What to say where the store is needed and nobody gave one."""
    remedy = "give deploy(store=...), such as Platform(...).store, or StoreConnection(address=...) for one elsewhere"
    return Problem("deploy", f"the estate needs the secret store ({path}), and none is given", remedy)
