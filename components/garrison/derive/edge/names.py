"""The names by which the files, clusters and filters of the edge mention each other, and the hosts that it has."""

from __future__ import annotations

from typing import Final

from garrison import defaults as d
from garrison.derive.names import label_of
from garrison.model.graph import Graph, Issuer
from garrison.model.names import EDGE_CONFIG_MAPS
from garrison.words import Ref

USERS: Final = "users"  # the cluster; those of services are called after them
PUBLIC: Final = Ref(d.EDGE.namespace, d.EDGE_SERVICE)
PROXY, DYNAMIC, CONTRACTS = (Ref(d.EDGE.namespace, name) for name in EDGE_CONFIG_MAPS[:3])
LIMITS_PROXY, LIMITS = (Ref(d.EDGE.namespace, name) for name in EDGE_CONFIG_MAPS[4:])
KEYS_FILE: Final = "keys.json"
CLUSTERS_FILE: Final = "cds.json"
INTROSPECTION: Final = "introspection.json"
STATE: Final = "state.sha256"  # of all the others: the agent says it when the proxy has taken them


def login_host(graph: Graph) -> str:
    """The embedded issuer's own host; empty where there is none."""
    return graph.embedded_issuer.login if graph.embedded_issuer else ""


def host_names(graph: Graph) -> list[str]:
    """Every name under which the edge answers."""
    return sorted({*(host.name for host in graph.hosts), *filter(None, [login_host(graph)])})


def login_of(graph: Graph, host: str) -> Issuer | None:
    """The issuer with which browsers log in at a host."""
    known = graph.host_by_name.get(host)
    return graph.issuer_by_name[known.login] if known and known.login else None


def certificate_secret(host: str) -> str:
    """The Secret that cert-manager keeps a host's certificate in."""
    return f"{label_of(host)}-host"


def certificate_dir(host: str) -> str:
    return f"/run/hosts/{label_of(host)}"


def routes_file(host: str) -> str:
    return f"routes-{label_of(host)}.json"


def tokens_file(host: str) -> str:
    """The jwt_authn filter of a host without login."""
    return f"jwt-{label_of(host)}.json"
