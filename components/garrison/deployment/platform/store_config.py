"""The configuration of an OpenBao server: what it is told once, in a file, so that no hand is needed afterwards.

OpenBao initialises itself from the `initialize` stanza at its first start (it needs an auto-unseal seal for that):
mounts, logins and policies are made with a root token that nobody ever sees and that is revoked at the end. What they
are for the secret store is here, for the embedded issuer in users_config.py.
Audit devices can only be declared here; the API refuses them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from garrison import defaults as d
from garrison.cluster import Layout
from garrison.words import Ref

ADMIN = "garrison-admin"
BREAK_GLASS = "break-glass"
STORE = Ref(d.STORE_NAMESPACE, d.STORE_AUDIENCE)
# TokenReview at the cluster the server runs in, with the token and CA of its own pod.
IN_CLUSTER_REVIEWER = {"kubernetes_host": "https://kubernetes.default.svc"}


@dataclass(frozen=True)
class Grant:
    """One line of a policy; its path ends in `*` where it is for everything below."""

    path: str
    capabilities: tuple[str, ...]

    def __str__(self) -> str:
        return f'path "{self.path}" {{ capabilities = {json.dumps(self.capabilities)} }}'


def grants(layout: Layout = Layout(), admin: str = ADMIN) -> tuple[Grant, ...]:  # noqa: B008 a frozen value
    """What `pulumi up` may do in a store that is laid out so.

    It can create a secret but neither read nor overwrite one: KV version 2 tells `create` from `update`. Its own grant
    and the break-glass grant are out of its reach.
    """
    whole = ("create", "read", "update", "delete", "list")
    every, ours = layout.name("*"), [layout.name(admin), layout.name(BREAK_GLASS)]
    return (
        *(Grant(layout.policy(every), whole), *(Grant(layout.policy(name), ("deny",)) for name in ours)),
        *(Grant(layout.login(every), whole), *(Grant(layout.login(name), ("deny",)) for name in ours)),
        Grant(layout.connection(every), whole),
        Grant(layout.leases(every), whole),
        Grant(layout.secret("*"), ("create",)),
        Grant(layout.metadata("*"), ("read", "delete", "list")),
        Grant(f"sys/leases/lookup/{layout.lease(every)}", ("list", "sudo")),
        Grant(f"sys/leases/revoke-prefix/{layout.lease(every)}", ("create", "update", "sudo")),
    )


def required(layout: Layout, admin: str) -> tuple[Grant, ...]:
    """The same in a store that somebody else sets up: with what it takes to look whether that was done."""
    return *grants(layout, admin), Grant(f"auth/{layout.auth}/config", ("read",)), ASKING


def text(lines: Iterable[Grant]) -> str:
    """A policy as the store reads it."""
    return "".join(f"{line}\n" for line in lines)


ASKING = Grant("sys/capabilities-self", ("update",))
ADMIN_POLICY = text(grants())

BREAK_GLASS_POLICY = """\
path "*" { capabilities = ["create", "read", "update", "patch", "delete", "list", "sudo"] }
"""


@dataclass(frozen=True)
class Files:
    """Where the server finds its files; the defaults are the paths inside its pod."""

    data: str = "/openbao/data"
    tls: str = "/run/tls"
    seal_key: str = "/run/seal/key"


@dataclass(frozen=True)
class Request:
    """One request of the self-initialisation."""

    name: str
    path: str
    data: Mapping[str, Any]


def server_config(
    *,
    files: Files = Files(),
    address: str = "0.0.0.0:8200",
    cluster_address: str = "0.0.0.0:8201",
    public_host: str = "openbao.openbao.svc",
    max_lease: str = f"{d.LEASE_SECONDS}s",
    reload_every: str = d.STORE_RELOAD,
    requests: tuple[Request, ...] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The whole configuration file, as the JSON form of OpenBao's HCL; `more` is said beside, or instead."""
    port = address.rpartition(":")[2]
    cluster_port = cluster_address.rpartition(":")[2]
    node = f"{public_host.partition('.')[0]}-0"
    return {
        "ui": False,
        "log_format": "json",
        "api_addr": f"https://{public_host}:{port}",
        "cluster_addr": f"https://{public_host}:{cluster_port}",
        "default_lease_ttl": max_lease,
        "max_lease_ttl": d.STORE_MAX_LEASE,
        "storage": {"raft": {"path": files.data, "node_id": node, "performance_multiplier": 1}},
        "listener": [{"tcp": _listener(files, address, cluster_address, reload_every)}],
        "seal": [{"static": {"current_key_id": "1", "current_key": f"file://{files.seal_key}"}}],
        "audit": [{"type": "file", "path": "stdout", "options": {"file_path": "stdout"}}],
        "initialize": [{"garrison": {"request": [_stanza(r) for r in requests or initial_requests(max_lease)]}}],
        **more,
    }


def _listener(files: Files, address: str, cluster_address: str, reload_every: str) -> dict[str, Any]:
    return {
        "address": address,
        "cluster_address": cluster_address,
        "tls_cert_file": f"{files.tls}/tls.crt",
        "tls_key_file": f"{files.tls}/tls.key",
        "tls_min_version": d.STORE_TLS_MINIMUM,
        "tls_disable_client_certs": True,
        # cert-manager renews the certificate in place; the listener looks for a changed file, no signal needed.
        "tls_auto_reload": True,
        "tls_auto_reload_interval": reload_every,
    }


def initial_requests(max_lease: str, reviewer: Mapping[str, Any] = IN_CLUSTER_REVIEWER) -> tuple[Request, ...]:
    """What has to be there before Garrison can log in: everything else it writes itself, as `garrison-admin`."""
    leases = {"default_lease_ttl": max_lease, "max_lease_ttl": max_lease}
    return (
        Request("database", "sys/mounts/database", {"type": "database", "config": leases}),
        *entrances({ADMIN: ADMIN_POLICY, BREAK_GLASS: BREAK_GLASS_POLICY}, STORE, reviewer),
    )


def entrances(policies: Mapping[str, str], server: Ref, reviewer: Mapping[str, Any]) -> tuple[Request, ...]:
    """The KV store, the Kubernetes login, and in it one role for each policy: what every server has."""
    return (
        Request("kv", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}}),
        Request("kubernetes", "sys/auth/kubernetes", {"type": "kubernetes"}),
        Request("kubernetes-config", "auth/kubernetes/config", reviewer),
        *(Request(f"{name}-policy", f"sys/policies/acl/{name}", {"policy": text}) for name, text in policies.items()),
        *(_role(name, server) for name in policies),
    )


def _role(name: str, server: Ref) -> Request:
    """A login for one service account of the server's own namespace, good for a quarter of an hour."""
    return Request(
        f"{name}-role",
        f"auth/kubernetes/role/{name}",
        login_role(name, Ref(server.namespace, name), server.name),
    )


def login_role(policy: str, account: Ref, audience: str) -> dict[str, Any]:
    """A login for one service account, with one policy."""
    return {
        "bound_service_account_names": [account.name],
        "bound_service_account_namespaces": [account.namespace],
        "audience": audience,  # a token for anyone else is refused (RFC 7519 section 4.1.3)
        "token_policies": [policy],
        "token_ttl": d.STORE_LOGIN,
        "token_max_ttl": d.STORE_LOGIN,
    }


def _stanza(request: Request) -> dict[str, Any]:
    return {request.name: {"operation": "update", "path": request.path, "data": dict(request.data)}}
