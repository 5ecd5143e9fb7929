"""Names of derived ConfigMaps, spelled once: layers make them, laws and the proof speak of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from garrison import defaults as d
from garrison.words import Ref

CLUSTER_CA: Final = "kube-root-ca.crt"  # Kubernetes writes this ConfigMap into every namespace


def proxy_config(ref: Ref) -> str:
    """What a service's sidecar is configured by."""
    return f"{ref.name}-proxy"


def files_config(ref: Ref) -> str:
    """What has the files that a service is given."""
    return f"{ref.name}-files"


def agent_config(ref: Ref) -> str:
    """What the agent that brings a service its secrets is configured by."""
    return f"{ref.name}-secrets"


def database_config(ref: Ref) -> str:
    """What a database is configured by."""
    return f"{ref.name}-config"


# Those of the edge: its bootstrap, what it reads again while it runs, contracts, the login agents', and the limiter's.
EDGE_CONFIG_MAPS: Final = ("edge-proxy", "edge-dynamic", "edge-contracts", "edge-login", "limits-proxy", "limits")


def derived_config_maps(namespace: str, services: Iterable[Ref], databases: Iterable[Ref]) -> frozenset[str]:
    """Those of proxies, agents and databases, and both CA bundles; a test holds this against what is rendered."""
    near = [ref for ref in services if ref.namespace == namespace]
    own = {name(ref) for ref in near for name in (proxy_config, agent_config, files_config)}
    own |= {database_config(ref) for ref in databases if ref.namespace == namespace}
    return frozenset({*own, d.TRUST_BUNDLE, CLUSTER_CA})
