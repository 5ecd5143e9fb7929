"""The names by which one layer's objects mention another's, so that no layer imports its sibling.

The proof takes them from here, too: what it changes or clones is what the layers made. Names of ConfigMaps are the
model's (`model/names`), because laws speak of them.
"""

from __future__ import annotations

from typing import Final, Literal

from garrison import defaults as d
from garrison.model.externals import HTTPS
from garrison.words import Ref

Way = Literal["calls", "connects"]  # to a host outside: with operations that are checked, or TLS of the application's
APP: Final = "app"  # the container of the application, and what its sidecar calls it
PROXY: Final = "proxy"
DEFAULT_DENY: Final = "default-deny"
ACCESS_RULES: Final = "pg_hba.conf"
CLIENT_AUTHORITY: Final = "store-ca.pem"
SERVER_SETTINGS: Final = "postgresql.conf"
CERTIFICATES: Final = "certificates"  # admission policies, of which the proof takes these away
CERTIFICATE_REQUESTS: Final = "certificate-requests"


def secret_name(ref: Ref) -> str:
    """The Secret that cert-manager keeps the certificate of a service or database in."""
    return f"{ref.name}-identity"


def full_host(ref: Ref) -> str:
    """The name in the cluster's DNS by which a workload is called."""
    return f"{ref.name}.{ref.namespace}.{d.CLUSTER_DOMAIN}"


def server_name(ref: Ref, port: str = "") -> str:
    """What a caller asks for in its handshake: the service, or one of its further ports."""
    return f"{port}.{full_host(ref)}" if port else full_host(ref)


def way_out(external: Ref, way: Way) -> str:
    """The server name by which the egress gateway is asked for a way to a host outside."""
    host, _, port = external.name.partition(":")
    return f"{way}.{port or HTTPS}.{host}"


def admission_policy(family: str) -> str:
    """The admission policy for a family of kinds, and its binding."""
    return f"garrison-{family}"


def guard_of(app: str) -> str:
    """The family of the policy that guards one App's namespaces: each App on a cluster has its own."""
    return f"estate-{app}"


def deployer_role(app: str) -> str:
    """What the roles of who deploys an App are called, and their bindings, in each namespace and in the cluster."""
    return f"garrison-deployer-{app}"


def guards_another(policy: str, app: str) -> bool:
    """Whether an admission policy guards another App than this one."""
    return policy.startswith(admission_policy(guard_of(""))) and policy != admission_policy(guard_of(app))


def label_of(host: str) -> str:
    """A host of the edge as a DNS label, for what is named after it."""
    return host.replace(".", "-")
