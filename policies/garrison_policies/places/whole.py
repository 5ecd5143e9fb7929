"""Everything that admission enforces on one cluster: the rules, who may ask for signatures, and the guards."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from garrison.cluster import Cluster
from garrison.model.graph import Graph
from garrison_policies.exceptions.file import PolicyException
from garrison_policies.language.rule import Rule
from garrison_policies.places import admission, guard, issuing
from garrison_policies.places.within import EVERYWHERE, Within, keeping, scope
from garrison_policies.rules import catalogue


def manifests(
    graph: Graph,
    cluster: Cluster,
    *,
    also: Sequence[Rule] = (),
    exceptions: Sequence[PolicyException] = (),
    platform: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Every policy with its binding. `platform` are the namespaces of what Garrison itself installs; none where it
    stands already, and is somebody else's to change.
    """
    shared = of_the_cluster(cluster, also=also, exceptions=exceptions, platform=platform)
    return [*shared, *of_the_estate(graph, cluster, also=also, exceptions=exceptions, platform=platform)]


def of_the_estate(
    graph: Graph,
    cluster: Cluster,
    *,
    also: Sequence[Rule] = (),
    exceptions: Sequence[PolicyException] = (),
    platform: Collection[str] = (),
) -> list[dict[str, Any]]:
    """What is one App's alone and has its name: its guard, and the rules where they hold in its namespaces only."""
    guards = guard.estate(graph, cluster.deployers, cluster.admission)
    within = scope(graph.name, {*graph.spaces, *platform}, cluster.admission_scope)
    if within is None:
        return guards
    kept = keeping(within, cluster.deployers, cluster.admission)
    mine = _rules(cluster, also, exceptions, within, lambda family: family not in EVERYWHERE)
    return [*mine, *kept, *guards]


def of_the_cluster(
    cluster: Cluster,
    *,
    also: Sequence[Rule] = (),
    exceptions: Sequence[PolicyException] = (),
    platform: Collection[str] = (),
) -> list[dict[str, Any]]:
    """What is there once, for all Apps on a cluster and everything else on it."""
    everywhere = cluster.admission_scope == "everywhere"
    return [
        *_rules(cluster, also, exceptions, None, lambda family: everywhere or family in EVERYWHERE),
        *issuing.manifests(cluster.issuer, cluster.admission),
        *guard.platform(platform, cluster.issuer, cluster.deployers, cluster.admission),
    ]


def _rules(
    cluster: Cluster,
    also: Sequence[Rule],
    exceptions: Sequence[PolicyException],
    within: Within | None,
    families: Callable[[str], bool],
) -> list[dict[str, Any]]:
    return admission.manifests(
        [*catalogue(cluster.issuer), *also],
        exceptions=exceptions,
        mode=cluster.admission,
        system_namespaces=cluster.spared,
        deployers=cluster.deployers,
        within=within,
        families=families,
    )
