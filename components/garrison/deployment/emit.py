"""Pulumi, thin: one ComponentResource per App that emits what the graph derives, and decides nothing.

Order is the only thing added here: what guards a workload (namespace, policies, identity, configuration) exists
before the workload does, a database runs before the secret store connects to it, and leases exist before their users.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import pulumi

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.declare.app import App
from garrison.deployment.vault import GeneratedSecret, StoreConnection, StoreResource, StoreRights
from garrison.derive import login, render
from garrison.derive.adjustment import Adjust, adjust_all
from garrison.derive.secrets import StoreObject, store_objects
from garrison.derive.users import users_objects
from garrison.errors import IntentError, Problem
from garrison.manifest import Manifest, identity
from garrison.model.graph import Graph

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
JOBS = ("Job", "CronJob")
ENTRANCES = ("Service",)
UNAWAITED = "pulumi.com/skipAwait"


class Estate(pulumi.ComponentResource):
    """Everything that one App derives, as children; it registers the graph, the cluster and what was adjusted.

    adjusted: those of the manifests that are not as derived. The policy pack refuses any other that is not.
    """

    def __init__(
        self,
        graph: Graph,
        cluster: Cluster,
        manifests: Sequence[Manifest],
        *,
        adjusted: Sequence[Manifest] = (),
        store: StoreConnection | None = None,
        users: StoreConnection | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("garrison:index:Estate", graph.name, None, opts)
        self._namespaces: dict[str, pulumi.Resource] = {}
        later = WORKLOADS + JOBS + ENTRANCES
        guards = self._emit((m for m in manifests if m["kind"] not in later), after=[])
        # A Service is ready when pods stand behind it. Nothing that makes pods may wait for one, and none may be waited
        # for: Pulumi does as many things at once as it was told to, and as many Services would keep it from the pods.
        self._emit((_unawaited(m) for m in manifests if m["kind"] in ENTRANCES), after=guards)
        served = {(database.ref.namespace, database.ref.name) for database in graph.databases}
        made = [m for m in manifests if m["kind"] in WORKLOADS]
        databases = self._emit((m for m in made if identity(m)[2:] in served), after=guards)
        stored = self._store(_secrets(graph), login.cookie_paths(graph, login.STORE), store, [*guards, *databases])
        stored += self._store(users_objects(graph, cluster), login.cookie_paths(graph, d.USERS), users, guards)
        workloads = self._emit((m for m in made if identity(m)[2:] not in served), after=[*guards, *stored])
        # a Job begins when it is made, so whoever it calls is ready by then; nothing waits for a Job
        self._emit((m for m in manifests if m["kind"] in JOBS), after=[*guards, *databases, *stored, *workloads])
        truth = {"graph": json.loads(graph.to_json()), "cluster": json.loads(cluster.to_json())}
        self.register_outputs({**truth, "adjusted": list(adjusted)})

    def _emit(self, manifests: Iterable[Manifest], *, after: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        return [self._object(item, after) for item in manifests]

    def _object(self, item: Manifest, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        namespace = item["metadata"].get("namespace", "")
        home = [self._namespaces[namespace]] if namespace in self._namespaces else []
        # what a Job runs cannot be changed: another one takes its name when it and its pods are gone
        once = True if item["kind"] == "Job" else None
        opts = pulumi.ResourceOptions(parent=self, depends_on=[*home, *after], delete_before_replace=once)
        resource = kubernetes_object(item, opts)
        if item["kind"] == "Namespace":
            self._namespaces[item["metadata"]["name"]] = resource
        return resource

    def _store(
        self,
        objects: Iterable[StoreObject],
        generated: Iterable[str],
        where: StoreConnection | None,
        after: Sequence[pulumi.Resource],
    ) -> list[pulumi.Resource]:
        made: list[pulumi.Resource] = []
        objects, generated = [*objects], [*generated]
        if where and (objects or generated):
            opts = pulumi.ResourceOptions(parent=self, depends_on=[*after])
            made.append(StoreRights([one.path for one in objects], generated, connection=where, opts=opts))
        after = [*after, *made]
        for wanted in objects:
            if where is None:  # `deploy` has refused this; an Estate made by hand is refused here
                raise IntentError([_storeless(wanted.path)])
            # a database role needs its connection, a login role its policy: in the order they are derived
            opts = pulumi.ResourceOptions(parent=self, depends_on=[*after, *made])
            made.append(StoreResource(wanted.path, wanted.body, connection=where, opts=opts))
        if where:
            opts = pulumi.ResourceOptions(parent=self, depends_on=[*after])
            made += [GeneratedSecret(path, connection=where, opts=opts) for path in generated]
        return made


def _unawaited(item: Manifest) -> Manifest:
    """The same, done as soon as it is there: a note to Pulumi, which the object keeps."""
    metadata = item["metadata"]
    noted = {**metadata, "annotations": {**metadata.get("annotations", {}), UNAWAITED: "true"}}
    return {**item, "metadata": noted}


def kubernetes_object(item: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Any manifest as a resource of the Kubernetes provider, its fields unchanged, under the name people know."""
    meta = item["metadata"]
    name = "/".join(filter(None, [meta.get("namespace"), meta["name"]]))
    api = item["apiVersion"] if "/" in item["apiVersion"] else f"core/{item['apiVersion']}"
    return pulumi.CustomResource(f"kubernetes:{api}:{item['kind']}", name, item, opts)


def deploy(
    app: App,
    *,
    cluster: Cluster | None = None,
    adjust: Adjust | None = None,
    store: StoreConnection | None = None,
    users: StoreConnection | None = None,
    opts: pulumi.ResourceOptions | None = None,
) -> Estate:
    """Deploy an App: check and freeze it, derive every object for this cluster, hand them to Pulumi.

    `adjust` sees each manifest last and may change where and how large it runs (`derive.adjustment` has the list);
    a protection it would change is refused. Raises IntentError with every problem before anything is registered.
    """
    graph, there = app.graph(), cluster or Cluster()
    if found := list(_unready(graph, there, store, users)):
        raise IntentError(found)
    derived = render(graph, there)
    manifests, adjusted = adjust_all(derived, adjust) if adjust else (derived, [])
    return Estate(graph, there, manifests, adjusted=adjusted, store=store, users=users, opts=opts)


def _unready(
    graph: Graph, cluster: Cluster, store: StoreConnection | None, users: StoreConnection | None
) -> Iterator[Problem]:
    """What the graph needs of this cluster and is not given."""
    yield from _placeholders(graph)
    if graph.permissions and not cluster.api_server:
        who = ", ".join(map(str, graph.permissions_of))
        remedy = "name its address ranges, such as those of `kubectl get endpointslices kubernetes -n default`"
        yield Problem("apiServer", f"missing: {who} may use the Kubernetes API, whose addresses are not known", remedy)
    if store is None and (wanted := [item.path for item in _secrets(graph)]):
        yield _storeless(f"{wanted[0]} and {len(wanted) - 1} more")
    if users is None and graph.embedded_issuer:
        remedy = "give deploy(users=...), such as Platform(..., users=True).users"
        yield Problem("deploy", "the estate has users of its own, and nobody who keeps them is given", remedy)


def _placeholders(graph: Graph) -> Iterator[Problem]:
    """Images that a lock file leaves to be pinned: a program with them can be derived and looked at, and not run."""
    said = {image: role for role, image in graph.images}
    said |= {database.image: str(database.ref) for database in graph.databases}
    said |= {service.image: str(service.ref) for service in graph.services}
    for image, whose in said.items():
        if image.endswith(f"@{d.UNPINNED}"):
            remedy = "put its digest in the place of 'pin-me' in the lock file"
            yield Problem(whose, f"{image.partition('@')[0]} is not pinned yet", remedy)


def _secrets(graph: Graph) -> list[StoreObject]:
    """What has to be in the secret store: for services, and for logins with another issuer than the embedded one."""
    return [*store_objects(graph), *login.store_objects(graph, login.STORE)]


def _storeless(path: str) -> Problem:
    remedy = "give deploy(store=...), such as Platform(...).store, or StoreConnection(address=...) for one elsewhere"
    return Problem("deploy", f"the estate needs the secret store ({path}), and none is given", remedy)
