"""Logins at the edge: the agent beside its proxy, which brings what a browser's login needs as files of the proxy.

A host's client id is made by the issuer, its client secret and the key of its cookies are secrets: none of them passes
Pulumi, a ConfigMap or a Kubernetes Secret. The agent reads them where they are kept and writes whole files for Envoy,
which reloads each when it changes. Hosts of the embedded issuer are kept in `users`, all others in the secret store;
so are the secrets with which the edge asks issuers about opaque tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster, Store
from garrison.derive.agent import authority, entrance
from garrison.derive.names import label_of
from garrison.derive.quoting import exact_path, policy_line
from garrison.derive.secrets import PLATFORM, StoreObject
from garrison.derive.tokens import introspected
from garrison.manifest import Manifest, compact, container, manifest
from garrison.model.graph import Graph, Host, Issuer
from garrison.words import Ref

Json = dict[str, Any]
Filters = Callable[[str, str], Mapping[str, Json]]
"""(host, its client id) -> kind of file ("oauth2", "jwt") -> what Envoy reads there, a DiscoveryResponse."""

DIR: Final = "/run/login"
CONFIG: Final = Ref(d.EDGE.namespace, "edge-login")  # the ConfigMap of the agents
STORE: Final = Ref(d.STORE_NAMESPACE, "openbao")
AGENT_DIR: Final = "/etc/login"
EMBEDDED: Final = Store(address=f"https://{d.USERS.name}.{d.USERS.namespace}.svc:{d.STORE_PORT}", audience=d.USERS.name)
_CLIENT_ID: Final = "@client-id@"
_SDS: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"


def hosts(graph: Graph) -> tuple[Host, ...]:
    """Those at which browsers log in."""
    return tuple(host for host in graph.hosts if host.login)


def keepers(graph: Graph) -> Mapping[Ref, tuple[Host, ...]]:
    """The stores that the agents of the edge read, each with the hosts whose secrets it keeps."""
    kept: dict[Ref, list[Host]] = {}
    for host in hosts(graph):
        kept.setdefault(d.USERS if graph.issuer_by_name[host.login].embedded else STORE, []).append(host)
    if introspected(graph):
        kept.setdefault(STORE, [])
    return {ref: tuple(there) for ref, there in sorted(kept.items())}


def file(kind: str, host: str) -> str:
    """Where the agent writes: `oauth2` and `jwt` are filters of the host, `client` and `cookie` its secrets."""
    return f"{DIR}/{kind}-{host}.json"


def question(issuer: str) -> str:
    """Where the agent writes the secret of the client that asks this issuer about tokens."""
    return f"{DIR}/introspection-{issuer}"


def _asked(graph: Graph, keeper: Ref) -> tuple[Issuer, ...]:
    return introspected(graph) if keeper == STORE else ()


def secret(kind: str, host: str) -> Json:
    """An SdsSecretConfig for the oauth2 filter: of its client secret (`client`), of its cookies (`cookie`)."""
    source = {"path_config_source": {"path": file(kind, host), "watched_directory": {"path": DIR}}}
    return {"name": f"{kind}-{host}", "sds_config": {**source, "resource_api_version": "V3"}}


def cookie_path(host: str) -> str:
    """Where the key of a host's cookies is kept, in the KV store of its keeper; a value that is made there."""
    return f"login/{exact_path(host)}"


# --- in the stores ---------------------------------------------------------------------------------------------------


def _at(keeper: Ref, store: Store) -> Store:
    """Where a keeper is: the embedded issuer's is the platform's own, wherever the secret store is."""
    return EMBEDDED if keeper == d.USERS else store


def store_objects(graph: Graph, keeper: Ref, store: Store = PLATFORM) -> Iterator[StoreObject]:
    """The edge's policy and login there: it reads the clients and keys of its hosts, and nothing else."""
    if keeper not in keepers(graph):
        return
    there = _at(keeper, store)
    role = there.of(d.EDGE)
    yield StoreObject(there.policy(role), {"policy": policy(graph, keeper, there)})
    body = {
        "bound_service_account_names": [d.EDGE.name],
        "bound_service_account_namespaces": [d.EDGE.namespace],
        "audience": there.audience,
        "token_policies": [role],
        "token_no_default_policy": True,
        "token_explicit_max_ttl": f"{d.STORE_TOKEN_MAX_SECONDS}s",
        "token_period": f"{d.STORE_TOKEN_SECONDS}s",
    }
    yield StoreObject(there.login(role), body)


def cookie_paths(graph: Graph, keeper: Ref) -> tuple[str, ...]:
    """Where a value has to be made before the edge starts."""
    return tuple(cookie_path(host.name) for host in keepers(graph).get(keeper, ()))


def policy(graph: Graph, keeper: Ref, there: Store = PLATFORM) -> str:
    paths = [_path(graph, host, there) for host in keepers(graph)[keeper]]
    paths += [there.secret(path) for path in cookie_paths(graph, keeper)]
    paths += [there.secret(issuer.client_secret) for issuer in _asked(graph, keeper)]
    upkeep = {"auth/token/lookup-self": "read", "auth/token/renew-self": "update"}
    granted = dict.fromkeys(sorted(paths), "read") | upkeep
    return "\n".join(policy_line(path, may) for path, may in granted.items())


def _path(graph: Graph, host: Host, there: Store) -> str:
    """Where a host's client secret is read."""
    issuer = graph.issuer_by_name[host.login]
    return f"identity/oidc/client/{label_of(host.name)}" if issuer.embedded else there.secret(issuer.client_secret)


# --- in the pod ------------------------------------------------------------------------------------------------------


def config_maps(graph: Graph, cluster: Cluster, filters: Filters) -> Iterator[Manifest]:
    if config := agent_config(graph, cluster, filters):
        yield manifest("v1", "ConfigMap", CONFIG, {"data": config}, app=graph.name)


def agent_config(graph: Graph, cluster: Cluster, filters: Filters) -> dict[str, str]:
    """One configuration file for each keeper; empty where nobody logs in."""
    there = {keeper: _at(keeper, cluster.store) for keeper in keepers(graph)}
    found = {f"{keeper.name}.json": compact(_agent(graph, keeper, at, filters)) for keeper, at in there.items()}
    return found | (authority(cluster.store) if STORE in there else {})


def _agent(graph: Graph, keeper: Ref, there: Store, filters: Filters) -> Json:
    way = entrance(there, role=there.of(d.EDGE), token=f"{_token_dir(keeper)}/token", folder=AGENT_DIR)
    templates = [
        *(item for host in keepers(graph)[keeper] for item in _templates(graph, host, there, filters)),
        *(_question(issuer, there) for issuer in _asked(graph, keeper)),
    ]
    return way | {"template": templates}


def _question(issuer: Issuer, there: Store) -> Json:
    value = f'{{{{ with secret "{there.secret(issuer.client_secret)}" }}}}{{{{ .Data.data.value }}}}{{{{ end }}}}'
    return _template(question(issuer.name), value)


def _templates(graph: Graph, host: Host, there: Store, filters: Filters) -> Iterator[Json]:
    issuer = graph.issuer_by_name[host.login]
    here = f'{{{{ with secret "{_path(graph, host, there)}" }}}}'
    client_id, value = (
        ("{{ .Data.client_id }}", ".Data.client_secret") if issuer.embedded else (issuer.client, ".Data.data.value")
    )
    for kind, response in filters(host.name, _CLIENT_ID).items():
        text = compact(response).replace("{{", '{{ "{{" }}').replace(_CLIENT_ID, client_id)
        yield _template(file(kind, host.name), f"{here}{text}{{{{ end }}}}")
    yield _template(file("client", host.name), f"{here}{_sds('client', host.name, value)}{{{{ end }}}}")
    key = f'{{{{ with secret "{there.secret(cookie_path(host.name))}" }}}}'
    yield _template(file("cookie", host.name), f"{key}{_sds('cookie', host.name, '.Data.data.value')}{{{{ end }}}}")


def _sds(kind: str, host: str, value: str) -> str:
    """A secret as Envoy reads it from a file; the value is put in as JSON, whatever is in it."""
    named = {"@type": _SDS, "name": f"{kind}-{host}", "generic_secret": {"secret": {"inline_string": "@"}}}
    return compact({"resources": [named]}).replace('"@"', f"{{{{ {value} | toJSON }}}}")


def _template(destination: str, contents: str) -> Json:
    return {"contents": contents, "destination": destination, "perms": "0440", "error_on_missing_key": True}


def containers(graph: Graph, _cluster: Cluster) -> list[Json]:
    """Sidecars to start before the proxy, one for each keeper: an Envoy that lacks a file would not start."""
    return [_container(graph, keeper) for keeper in keepers(graph)]


def _container(graph: Graph, keeper: Ref) -> Json:
    return container(
        "login" if keeper == d.USERS else "login-store",
        graph.image("openbao"),
        resources=d.AGENT_RESOURCES,
        security=d.container_security_context(d.AGENT_UID),
        restartPolicy="Always",
        command=["/usr/bin/bao"],
        args=["agent", f"-config={AGENT_DIR}/{keeper.name}.json"],
        env=[{"name": "HOME", "value": DIR}],
        startupProbe=d.AGENT_STARTED | {"exec": {"command": _written(graph, keeper)}},
        volumeMounts=[
            {"name": "login-agent", "mountPath": AGENT_DIR, "readOnly": True},
            {"name": "trust", "mountPath": d.TRUST_DIR, "readOnly": True},
            {"name": _token_volume(keeper), "mountPath": _token_dir(keeper), "readOnly": True},
            {"name": "login", "mountPath": DIR},
        ],
    )


def _written(graph: Graph, keeper: Ref) -> list[str]:
    """Succeeds when every file is there, without a shell: see `derive.secrets`."""
    kinds = ("oauth2", "jwt", "client", "cookie")
    paths = [file(kind, host.name) for host in keepers(graph)[keeper] for kind in kinds]
    paths += [question(issuer.name) for issuer in _asked(graph, keeper)]
    files = [f"v{index}=@{path}" for index, path in enumerate(paths)]
    return ["/usr/bin/bao", "write", "-output-policy", "sys/tools/hash", *files]


def mounts(graph: Graph) -> list[Json]:
    """What the proxy mounts of it."""
    return [{"name": "login", "mountPath": DIR, "readOnly": True}] if hosts(graph) else []


def question_mounts(graph: Graph) -> list[Json]:
    """What the agent that asks mounts of it."""
    return [{"name": "login", "mountPath": DIR, "readOnly": True}] if introspected(graph) else []


def volumes(graph: Graph, cluster: Cluster) -> list[Json]:
    """Beside the volume `trust`, which the edge's pod has anyway."""
    if not keepers(graph):
        return []
    return [
        {"name": "login-agent", "configMap": {"name": CONFIG.name, "defaultMode": d.SECRET_MODE}},
        {"name": "login", "emptyDir": {"medium": "Memory", "sizeLimit": d.SECRETS_MEMORY}},
        *(_token(keeper, _at(keeper, cluster.store)) for keeper in keepers(graph)),
    ]


def _token(keeper: Ref, there: Store) -> Json:
    token = {"path": "token", "audience": there.audience, "expirationSeconds": d.TOKEN_SECONDS}
    projected = {"defaultMode": d.SECRET_MODE, "sources": [{"serviceAccountToken": token}]}
    return {"name": _token_volume(keeper), "projected": projected}


def _token_volume(keeper: Ref) -> str:
    return f"login-token-{keeper.name}"


def _token_dir(keeper: Ref) -> str:
    return f"/run/login-token/{keeper.name}"
