"""What a declaration becomes on one cluster, in the order in which it is made. Pure: Pulumi and files both begin here.

What guards a workload (namespace, policies, identity, configuration) exists before the workload does, a database runs
before the secret store connects to it, and leases exist before their users.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.declare.app import App
from garrison.derive import login, render, tokens
from garrison.derive.adjustment import Adjust, adjust_all
from garrison.derive.names import full_host
from garrison.derive.secrets import StoreObject, store_objects
from garrison.derive.users import users_objects
from garrison.errors import IntentError, Problem
from garrison.manifest import Manifest, identity
from garrison.model.graph import Graph
from garrison.model.names import agent_config, database_config, files_config, proxy_config
from garrison.words import Ref

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
JOBS = ("Job", "CronJob")
ENTRANCES = ("Service",)
CONFIG_MAPS = (proxy_config, agent_config, files_config, database_config)
Identity = tuple[str, str, str, str]


@dataclass(frozen=True)
class Stages:
    """The objects of an estate, each stage after those before it.

    A Service is ready when pods stand behind it. Nothing that makes pods may wait for one, and none may be waited for:
    who makes as many things at once as he was told to would be kept by as many Services from the pods.
    A Job begins when it is made, so whoever it calls is ready by then; nothing waits for a Job.
    """

    guards: tuple[Manifest, ...]
    entrances: tuple[Manifest, ...]
    databases: tuple[Manifest, ...]
    workloads: tuple[Manifest, ...]
    jobs: tuple[Manifest, ...]


@dataclass(frozen=True)
class Contents:
    """What one OpenBao has to hold for a graph: objects in order, and the paths of values that it makes up."""

    server: Ref
    objects: tuple[StoreObject, ...]
    generated: tuple[str, ...] = ()


@dataclass(frozen=True)
class Derived:
    """A graph on a cluster with all that follows; `adjusted` are those of the manifests that are not as derived."""

    graph: Graph
    cluster: Cluster
    manifests: tuple[Manifest, ...]
    adjusted: tuple[Manifest, ...] = ()


def derived(app: App | Graph, cluster: Cluster, adjust: Adjust | None = None) -> Derived:
    """Check an App (or take a frozen graph), and derive every object; raises IntentError with every problem."""
    graph = app if isinstance(app, Graph) else app.graph()
    if found := list(lacking(graph, cluster)):
        raise IntentError(found)
    return of(graph, cluster, adjust)


def of(graph: Graph, cluster: Cluster, adjust: Adjust | None = None) -> Derived:
    """The objects of a graph, as `adjust` changes them; raises IntentError for what it may not change."""
    made = render(graph, cluster)
    manifests, adjusted = adjust_all(made, adjust) if adjust else (made, [])
    return Derived(graph, cluster, tuple(manifests), tuple(adjusted))


def stages(graph: Graph, manifests: tuple[Manifest, ...]) -> Stages:
    """The order of making. A database is whatever keeps one of the graph's."""
    served = {(database.ref.namespace, database.ref.name) for database in graph.databases}
    later = WORKLOADS + JOBS + ENTRANCES

    def runs(item: Manifest, *, database: bool) -> bool:
        return item["kind"] in WORKLOADS and (identity(item)[2:] in served) == database

    return Stages(
        guards=tuple(item for item in manifests if item["kind"] not in later),
        entrances=tuple(item for item in manifests if item["kind"] in ENTRANCES),
        databases=tuple(item for item in manifests if runs(item, database=True)),
        workloads=tuple(item for item in manifests if runs(item, database=False)),
        jobs=tuple(item for item in manifests if item["kind"] in JOBS),
    )


def secrets(graph: Graph, cluster: Cluster) -> Contents:
    """In the secret store: for services, and for logins with another issuer than the embedded one."""
    objects = (*store_objects(graph, cluster.store), *login.store_objects(graph, login.STORE, cluster.store))
    return Contents(login.STORE, objects, tuple(login.cookie_paths(graph, login.STORE)))


def users(graph: Graph, cluster: Cluster) -> Contents:
    """In the embedded issuer's OpenBao; nothing where no issuer is embedded."""
    return Contents(d.USERS, tuple(users_objects(graph, cluster)), tuple(login.cookie_paths(graph, d.USERS)))


def owners(graph: Graph, manifests: Collection[Manifest]) -> dict[Identity, Ref]:
    """For whom each object is made: a workload or database by its name, a gateway by its namespace.

    What is everybody's in a namespace is nobody's own: the namespace, its quota, its default deny.
    """
    refs = {one.ref for one in graph.workloads} | {database.ref for database in graph.databases}
    named = {(name(ref), ref.namespace): ref for ref in refs for name in CONFIG_MAPS}
    gateways = {ref.namespace: ref for ref in (d.EDGE, d.EGRESS) if ref.namespace not in graph.namespaces}
    found: dict[Identity, Ref] = {}
    for item in manifests:
        _, kind, space, name = key = identity(item)
        own = named.get((name, space)) if kind == "ConfigMap" else Ref(space, name)
        if whose := own if own in refs else gateways.get(space):
            found[key] = whose
    return found


def addresses(graph: Graph, cluster: Cluster) -> dict[str, str]:
    """Where things are: hosts as clients of this cluster write them, services and databases within it."""
    hosts = {host.name: tokens.url(graph, cluster, host.name) for host in graph.hosts}
    called = {str(one.ref): f"{full_host(one.ref)}:{d.MTLS_PORT}" for one in graph.services if one.port}
    kept = {str(one.ref): f"{full_host(one.ref)}:{d.DATABASE_PORT}" for one in graph.databases}
    return hosts | called | kept


def lasting(items: Collection[Manifest]) -> frozenset[Identity]:
    """Which of the objects take something with them that nobody can make again: volumes, and the key of the root.

    With a namespace goes all that is in it, with a definition all objects of its kind.
    """
    keepers = [item for item in items if _keeps(item.get("spec", {}))]
    homes = {item["metadata"].get("namespace") for item in keepers}
    spaces = [item for item in items if item["kind"] == "Namespace" and item["metadata"]["name"] in homes]
    definitions = [item for item in items if item["kind"] == "CustomResourceDefinition"]
    return frozenset(map(identity, (*keepers, *spaces, *definitions)))


def _keeps(spec: Mapping[str, Any]) -> bool:
    return bool(spec.get("volumeClaimTemplates") or spec.get("isCA"))


def lacking(graph: Graph, cluster: Cluster) -> Iterator[Problem]:
    """What has to be known before this graph can run on this cluster."""
    yield from _placeholders(graph)
    if graph.permissions and not cluster.api_server:
        who = ", ".join(map(str, graph.permissions_of))
        remedy = "name its address ranges, such as those of `kubectl get endpointslices kubernetes -n default`"
        yield Problem("apiServer", f"missing: {who} may use the Kubernetes API, whose addresses are not known", remedy)
    for database in graph.uses_of if not cluster.store.client_files else ():
        what = f"{cluster.store.host} would have to enter it to make leases, and has no certificate for that"
        remedy = "once the store reaches it, set storeDatabaseClient (docs/secret-store.md, A store of your own)"
        yield Problem(str(database), what, remedy)


def _placeholders(graph: Graph) -> Iterator[Problem]:
    """Images that a lock file leaves to be pinned: a program with them can be derived and looked at, and not run."""
    said = {image: role for role, image in graph.images}
    said |= {database.image: str(database.ref) for database in graph.databases}
    said |= {service.image: str(service.ref) for service in graph.services}
    for image, whose in said.items():
        if image.endswith(f"@{d.UNPINNED}"):
            remedy = "put its digest in the place of 'pin-me' in the lock file"
            yield Problem(whose, f"{image.partition('@')[0]} is not pinned yet", remedy)
