"""`deploy(app)`: one App on a platform that is there. It deploys, or refuses before anything is registered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pulumi

from garrison.cluster import Cluster
from garrison.declare.app import App
from garrison.deployment import derived
from garrison.deployment.admission import Admission
from garrison.deployment.emit import Estate, storeless
from garrison.deployment.objects import provider_of, two_clusters
from garrison.deployment.vault import StoreConnection, checking
from garrison.derive.adjustment import Adjust
from garrison.derive.names import admission_policy, guard_of
from garrison.errors import IntentError, Problem
from garrison.model.graph import Graph

Guard = Admission | Literal["elsewhere"]


def deploy(
    app: App,
    *,
    guard: Guard | None = None,
    cluster: Cluster | None = None,
    adjust: Adjust | None = None,
    store: StoreConnection | None = None,
    users: StoreConnection | None = None,
    keep_data: bool = True,
    opts: pulumi.ResourceOptions | None = None,
) -> Estate:
    """Deploy an App on a platform that is there: derive every object for this cluster, hand them to Pulumi.

    `garrison_stack.run` does this and all that comes before it. Here nothing is taken for granted: who guards the
    estate at admission, the secret store and the keeper of users are given, or refused where the graph needs them.
    `guard="elsewhere"` says that another program makes the admission policies.

    `adjust` sees each manifest last and may change where and how large it runs (`derive.adjustment` has the list);
    a protection it would change is refused. Unless `keep_data` is False, Pulumi stops before it would take away what
    holds data. Raises IntentError with every problem before anything is registered.
    """
    graph, there = app.graph(), cluster or Cluster()
    found = [*derived.lacking(graph, there), *_unguarded(graph, guard), *_unserved(graph, there, store, users)]
    found += _laid_out_otherwise(there, store)
    if found := [*found, *two_clusters(opts, _asked(graph, there, store, users)), *_guarded_elsewhere(guard, opts)]:
        raise IntentError(found)
    if store:
        checking.check(store, derived.secrets(graph, there), outside=bool(there.store.ranges))
    what = derived.of(graph, there, adjust)
    guarded = pulumi.ResourceOptions(depends_on=[guard] if isinstance(guard, Admission) else [])
    merged = pulumi.ResourceOptions.merge(opts, guarded)
    return Estate(what, store=store, users=users, keep_data=keep_data, opts=merged)


def _unguarded(graph: Graph, guard: object) -> Iterator[Problem]:
    """An estate without its guard is one whose identities whoever edits its namespaces may take."""
    alone = "use garrison_stack.run(app), or give guard=Admission(...); guard='elsewhere' if another program makes it"
    if guard is None:
        yield Problem("deploy", f"nobody is given who guards {graph.name} at admission", alone)
    elif guard != "elsewhere" and not isinstance(guard, Admission):
        yield Problem("deploy", f"guard={guard!r} is no Admission", alone)
    elif isinstance(guard, Admission) and admission_policy(guard_of(graph.name)) not in guard.policies:
        remedy = f"make its policies of the same graph: garrison_policies.places.whole.manifests({graph.name}, ...)"
        yield Problem("deploy", f"the guard that is given does not guard {graph.name}", remedy)


def _guarded_elsewhere(guard: object, opts: pulumi.ResourceOptions | None) -> Iterator[Problem]:
    """A guard on one cluster guards nothing on another."""
    if isinstance(guard, Admission) and guard.provider is not provider_of(opts):
        yield Problem("opts", "the guard has another Kubernetes provider than the estate", "give both the same")


def _unserved(
    graph: Graph, there: Cluster, store: StoreConnection | None, users: StoreConnection | None
) -> Iterator[Problem]:
    """The servers that the graph needs and that are not given."""
    if store is None and (wanted := [item.path for item in derived.secrets(graph, there).objects]):
        yield storeless(f"{wanted[0]} and {len(wanted) - 1} more")
    if users is None and graph.embedded_issuer:
        remedy = "give deploy(users=...), such as Platform(..., users=True).users"
        yield Problem("deploy", "the estate has users of its own, and nobody who keeps them is given", remedy)


def _laid_out_otherwise(there: Cluster, store: StoreConnection | None) -> Iterator[Problem]:
    """Pods would look for what is written somewhere else."""
    if store and (store.words, store.audience) != (there.store.words, there.store.audience):
        remedy = "give both the same, such as deploy(store=StoreConnection.at(cluster.store))"
        yield Problem("deploy", "the store that is given is laid out otherwise than that of the cluster", remedy)


def _asked(graph: Graph, there: Cluster, *given: StoreConnection | None) -> str:
    """What kubectl would be asked for in this graph's name; empty where it would not be."""
    wanted = derived.secrets(graph, there).objects or graph.embedded_issuer
    return "the way into the secret store" if wanted and any(one and one.through_kubectl for one in given) else ""
