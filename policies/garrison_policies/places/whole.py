"""Everything that admission enforces on one cluster: the rules, who may ask for signatures, and the guards."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from garrison.cluster import Cluster
from garrison.model.graph import Graph
from garrison_policies.exceptions.file import PolicyException
from garrison_policies.language.rule import Rule
from garrison_policies.places import admission, guard, issuing
from garrison_policies.places.within import keeping, scope
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
    mode, deployers = cluster.admission, cluster.deployers
    within = scope(graph.name, {*guard.spaces(graph), *platform}, cluster.admission_scope)
    return [
        *admission.manifests(
            [*catalogue(cluster.issuer), *also],
            exceptions=exceptions,
            mode=mode,
            system_namespaces=cluster.spared,
            deployers=deployers,
            within=within,
        ),
        *(keeping(within, deployers, mode) if within else ()),
        *issuing.manifests(cluster.issuer, mode),
        *guard.platform(platform, cluster.issuer, deployers, mode),
        *guard.estate(graph, deployers, mode),
    ]
