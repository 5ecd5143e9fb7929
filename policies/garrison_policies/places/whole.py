"""Everything that admission enforces on one cluster: the rules, who may ask for signatures, and the guards."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from garrison.cluster import Cluster
from garrison.model.graph import Graph
from garrison_policies.exceptions.file import PolicyException
from garrison_policies.language.rule import Rule
from garrison_policies.places import admission, guard, issuing
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
    return [*shared, *of_the_estate(graph, cluster)]


def of_the_estate(graph: Graph, cluster: Cluster) -> list[dict[str, Any]]:
    """What is one App's alone: its guard, which has its name."""
    return guard.estate(graph, cluster.deployers, cluster.admission)


def of_the_cluster(
    cluster: Cluster,
    *,
    also: Sequence[Rule] = (),
    exceptions: Sequence[PolicyException] = (),
    platform: Collection[str] = (),
) -> list[dict[str, Any]]:
    """What is there once, for all Apps on a cluster and everything else on it."""
    mode, deployers = cluster.admission, cluster.deployers
    return [
        *admission.manifests(
            [*catalogue(cluster.issuer), *also],
            exceptions=exceptions,
            mode=mode,
            system_namespaces=cluster.spared,
            deployers=deployers,
        ),
        *issuing.manifests(cluster.issuer, mode),
        *guard.platform(platform, cluster.issuer, deployers, mode),
    ]
