"""Secrets layer: what each service may read in the secret store, and the agent sidecar that brings it as files.

One policy and one role per service, bound to its namespace, its service account and one audience. No value passes
through the graph, a Kubernetes Secret or the environment: the agent renders into memory-backed files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from garrison import defaults as d
from garrison.cluster import Cluster, Layout, Store
from garrison.derive import leases
from garrison.derive.agent import authority, entrance
from garrison.derive.quoting import exact_path, policy_line
from garrison.manifest import Manifest, compact, container, manifest
from garrison.model.graph import Database, Graph, Read, Use
from garrison.model.names import agent_config as agent_config_name
from garrison.words import Ref

Json = dict[str, Any]


@dataclass(frozen=True)
class StoreObject:
    """Something that has to exist in the secret store: an API path and what is written there. Never a secret value."""

    path: str
    body: Mapping[str, Any]


AGENT_DIR: Final = "/etc/openbao-agent"
PLATFORM: Final = Store()


def manifests(graph: Graph, cluster: Cluster) -> Iterator[Manifest]:
    for service in graph.workloads:
        if config := agent_config(graph, service.ref, cluster.store):
            ref = Ref(service.namespace, agent_config_name(service.ref))
            yield manifest("v1", "ConfigMap", ref, {"data": config}, app=graph.name)


def needs_store(graph: Graph, ref: Ref) -> bool:
    return ref in graph.uses_by or ref in graph.reads_by


# --- in the secret store ---------------------------------------------------------------------------------------------


def store_objects(graph: Graph, store: Store = PLATFORM) -> Iterator[StoreObject]:
    """Database connections and roles, then one policy and one role per service that needs the store."""
    for database in graph.databases:
        yield from _database_objects(graph, database, store)
    for service in graph.workloads:
        if needs_store(graph, service.ref):
            name = store.of(service.ref)
            yield StoreObject(store.policy(name), {"policy": policy(graph, service.ref, store)})
            yield StoreObject(store.login(name), _role(service.ref, store))


def lease_role(use: Use, store: Layout = PLATFORM) -> str:
    return f"{store.of(use.database)}.{use.role}"


def policy(graph: Graph, ref: Ref, store: Layout = PLATFORM) -> str:
    """What the service may do: read its own paths, and keep its own token and leases alive."""
    granted = {store.secret(read.path): "read" for read in graph.reads_by.get(ref, ())}
    granted |= {store.lease(lease_role(use, store)): "read" for use in graph.uses_by.get(ref, ())}
    upkeep = {"auth/token/lookup-self": "read", "auth/token/renew-self": "update", "sys/leases/renew": "update"}
    return "\n".join(policy_line(path, may) for path, may in (granted | upkeep).items())


def _role(ref: Ref, store: Store) -> Json:
    return {
        "bound_service_account_names": [ref.name],
        "bound_service_account_namespaces": [ref.namespace],
        "audience": store.audience,
        "token_policies": [store.of(ref)],
        "token_no_default_policy": True,
        "token_explicit_max_ttl": f"{d.STORE_TOKEN_MAX_SECONDS}s",  # then the agent logs in anew
        "token_period": f"{d.STORE_TOKEN_SECONDS}s",  # renewed while the pod lives; leases hang on it and end with it
    }


def _database_objects(graph: Graph, database: Database, store: Store) -> Iterator[StoreObject]:
    uses = graph.uses_of.get(database.ref, ())
    if not uses:
        return
    name = store.of(database.ref)
    roles = sorted({(lease_role(use, store), use.role) for use in uses})
    connection = {
        "plugin_name": "postgresql-database-plugin",
        "connection_url": _connection_url(database.ref, store.client_files),
        "username": "openbao",
        "allowed_roles": [role for role, _ in roles],
        "password_authentication": "scram-sha-256",
        "max_connection_lifetime": "5m",  # a renewed client certificate is read at the next connection
    }
    yield StoreObject(store.connection(name), connection)
    for role, member in roles:
        yield StoreObject(store.leases(role), _lease(name, member, database.lease_seconds))


def _connection_url(ref: Ref, files: str) -> str:
    """The store enters by its client certificate; there is no password to keep."""
    tls = f"sslmode=verify-full&sslrootcert={files}/ca.crt&sslcert={files}/tls.crt&sslkey={files}/tls.key"
    return f"postgresql://openbao@{ref.name}.{ref.namespace}.svc:{d.DATABASE_PORT}/{quote(ref.name, safe='')}?{tls}"


def _lease(connection: str, member: str, seconds: int) -> Json:
    return {
        "db_name": connection,
        "default_ttl": f"{seconds}s",
        "max_ttl": f"{seconds}s",
        **leases.statements(member),
    }


# --- in the pod ------------------------------------------------------------------------------------------------------


def agent_config(graph: Graph, ref: Ref, store: Store = PLATFORM) -> dict[str, str]:
    """The agent's configuration file, empty where the service needs nothing of the store."""
    if not needs_store(graph, ref):
        return {}
    way = entrance(store, role=store.of(ref), token=f"{d.TOKEN_DIR}/token", folder=AGENT_DIR)
    templates = {"template": _templates(graph, ref, store)}
    return {"agent.json": compact(way | templates)} | authority(store)


def _templates(graph: Graph, ref: Ref, store: Layout = PLATFORM) -> list[Json]:
    """Everything that is written, in one order."""
    static = [one for read in graph.reads_by.get(ref, ()) for one in _static(read, store)]
    return static + [one for use in graph.uses_by.get(ref, ()) for one in _leased(use, store)]


def _static(read: Read, store: Layout) -> Iterator[Json]:
    """The secret as a file, and where variables have it a file of these, each in the quotes that the kubelet wants.

    A secret with such a quote of its own does not fit there, which only whoever writes it can know (docs/verbs.md).
    """
    secret = f'{{{{ with secret "{exact_path(store.secret(read.path))}" }}}}', "{{ end }}"
    value = "{{ .Data.data.value }}"
    if len(read.valued) < len(read.told):
        yield _template(value.join(secret), read.file)
    if read.valued:
        lines = "".join(f"{name}='{text.format(value=value)}'\n" for name, text in read.valued)
        yield _template(lines.join(secret), read.lines)


def _leased(use: Use, store: Layout) -> Iterator[Json]:
    """The credentials as JSON, and in the application's own form, all of one lease."""
    creds = f'{{{{ with secret "{exact_path(store.lease(lease_role(use, store)))}" }}}}', "{{ end }}"
    user = '"username":{{ .Data.username | toJSON }},"password":{{ .Data.password | toJSON }}'
    if use.has_json:
        yield _template(f"{compact(_facts(use))[:-1]},{user}}}".join(creds), use.file)
    own = {"username": "{{ .Data.username }}", "password": "{{ .Data.password }}"}
    for name, text in use.files:
        yield _template(text.format_map(_facts(use) | own).join(creds), name)


def _facts(use: Use) -> Json:
    """What is the same for every lease."""
    ref = use.database
    return {
        "host": f"{ref.name}.{ref.namespace}.svc",
        "port": d.DATABASE_PORT,
        "database": ref.name,
        "sslmode": "verify-full",
        "sslrootcert": f"{d.TRUST_DIR}/{d.TRUST_FILE}",
    }


def _template(contents: str, file: str) -> Json:
    return {
        "contents": contents,
        "destination": f"{d.SECRETS_DIR}/{file}",
        "perms": "0440",
        "error_on_missing_key": True,
    }


def environment(graph: Graph, ref: Ref) -> dict[str, str]:
    """Where the application finds its files, and where its databases are; never a secret."""
    found = {
        name: text.format(path=f"{d.SECRETS_DIR}/{read.file}")
        for read in graph.reads_by.get(ref, ())
        for name, text in read.told
        if (name, text) not in read.valued
    }
    for use in graph.uses_by.get(ref, ()):
        facts = _facts(use) | {"path": f"{d.SECRETS_DIR}/{use.file}"}
        found |= {name: text.format_map(facts) for name, text in use.told}
        found |= {name: f"{d.SECRETS_DIR}/{name}" for name, _ in use.files}
    return found


def valued(graph: Graph, ref: Ref) -> list[Json]:
    """Variables that have a secret: the kubelet reads them from the agent's memory when the container starts.

    https://kubernetes.io/docs/tasks/inject-data-application/define-environment-variable-via-file/ (KEP-3721).
    """
    return [
        {
            "name": name,
            "valueFrom": {"fileKeyRef": {"volumeName": "secrets", "path": read.lines, "key": name, "optional": False}},
        }
        for read in graph.reads_by.get(ref, ())
        for name, _ in read.valued
    ]


def pod_labels(graph: Graph, ref: Ref) -> dict[str, str]:
    return {d.STORE_LABEL: "true"} if needs_store(graph, ref) else {}


def sidecar(graph: Graph, ref: Ref) -> list[Json]:
    if not needs_store(graph, ref):
        return []
    agent = container(
        "secrets",
        graph.image("openbao"),
        resources=d.AGENT_RESOURCES,
        security=d.container_security_context(d.AGENT_UID),
        restartPolicy="Always",
        command=["/usr/bin/bao"],
        args=["agent", f"-config={AGENT_DIR}/agent.json"],
        env=[{"name": "HOME", "value": d.SECRETS_DIR}],
        startupProbe=d.AGENT_STARTED | {"exec": {"command": _rendered(graph, ref)}},
        volumeMounts=[
            {"name": "agent", "mountPath": AGENT_DIR, "readOnly": True},
            {"name": "trust", "mountPath": d.TRUST_DIR, "readOnly": True},
            {"name": "token", "mountPath": d.TOKEN_DIR, "readOnly": True},
            {"name": "secrets", "mountPath": d.SECRETS_DIR},
        ],
    )
    return [agent]


def _rendered(graph: Graph, ref: Ref) -> list[str]:
    """Succeeds when every file is there, so that the application starts with its secrets.

    The image has no shell: `bao write -output-policy` reads its `@file` arguments, and prints a policy instead of
    asking anyone for anything.
    """
    paths = [template["destination"] for template in _templates(graph, ref)]
    files = [f"v{index}=@{path}" for index, path in enumerate(paths)]
    return ["/usr/bin/bao", "write", "-output-policy", "sys/tools/hash", *files]


def app_mounts(graph: Graph, ref: Ref) -> list[Json]:
    if not needs_store(graph, ref):
        return []
    return [
        {"name": "secrets", "mountPath": d.SECRETS_DIR, "readOnly": True},
        {"name": "trust", "mountPath": d.TRUST_DIR, "readOnly": True},
    ]


def volumes(graph: Graph, ref: Ref, store: Store = PLATFORM) -> list[Json]:
    if not needs_store(graph, ref):
        return []
    token = {"path": "token", "audience": store.audience, "expirationSeconds": d.TOKEN_SECONDS}
    return [
        {"name": "agent", "configMap": {"name": agent_config_name(ref), "defaultMode": d.SECRET_MODE}},
        {"name": "token", "projected": {"defaultMode": d.SECRET_MODE, "sources": [{"serviceAccountToken": token}]}},
        {"name": "secrets", "emptyDir": {"medium": "Memory", "sizeLimit": d.SECRETS_MEMORY}},
    ]
