"""The embedded issuer: what its OpenBao has to be told, so that it knows the groups, hosts and claims of the graph.

People and their passwords are not derived: `garrison users` keeps them. Rights come from groups, so the one scope there
is says who somebody is and lists the groups; to ask for it, or not to, gives nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import login, tokens
from garrison.derive.names import label_of
from garrison.derive.quoting import exact_path, policy_line
from garrison.derive.secrets import StoreObject
from garrison.model.graph import Graph, Host, Issuer
from garrison.model.routes import Route

Json = dict[str, Any]
API: Final = "api"  # the key and the role of tokens for hosts without login
USER: Final = "user"  # the policy of people
SCOPE: Final = "groups"
PERSON: Final = re.compile(r"[a-z0-9]([-a-z0-9._@]{0,61}[a-z0-9])?")  # OpenBao takes A for a: one spelling, one person
# Registered claims of a token and of an ID token (RFC 7519, OpenID Connect Core 2), which OpenBao makes itself.
RESERVED: Final = (
    *("iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "auth_time", "at_hash", "c_hash", "acr", "amr", "azp"),
    *("namespace", "groups", "name"),
)
# What the login page asks of its own server, besides logging in (seen in Chromium).
_PAGES: Final = (
    ("sys/capabilities-self", "update"),
    ("sys/internal/ui/mounts", "read"),
    ("sys/internal/ui/namespaces", "read"),
    ("sys/internal/ui/resultant-acl", "read"),
    ("auth/token/lookup-self", "read"),
    ("auth/token/revoke-self", "update"),
)


def users_objects(graph: Graph, cluster: Cluster) -> Iterator[StoreObject]:
    """Everything in the order in which each needs what is before it; nothing where no issuer is embedded."""
    issuer = graph.embedded_issuer
    if issuer is None:
        return
    home = tokens.url(graph, cluster, issuer.login)
    here = [host for host in graph.hosts if host.login == issuer.name]
    yield StoreObject(f"sys/policies/acl/{USER}", {"policy": policy(here)})
    yield from login.store_objects(graph, d.USERS)
    yield StoreObject("identity/oidc/config", {"issuer": home})
    for group in groups(graph):
        yield StoreObject(f"identity/group/name/{group}", {"type": "internal"})
    yield from _bearer(graph, issuer)
    yield StoreObject(f"identity/oidc/scope/{SCOPE}", {"template": template(graph, issuer)})
    for host in here:
        yield from _browser(graph, cluster, host, home)


def groups(graph: Graph) -> tuple[str, ...]:
    """The groups that routes for users of the embedded issuer name."""
    return tuple(sorted({route.group for route in _routes(graph) if route.group}))


def _routes(graph: Graph) -> list[Route]:
    issuer = graph.embedded_issuer
    return [route for route in graph.routes if issuer and route.issuer == issuer.name]


def claims(graph: Graph) -> tuple[str, ...]:
    """What conditions ask of a token beyond what every token says: kept with each person as metadata."""
    comparisons = (one for route in _routes(graph) for all_of in route.where for one in all_of)
    asked = {term.name for one in comparisons for term in one.terms if term.source == "claim"}
    return tuple(sorted(name for name in asked if name not in RESERVED and "." not in name))


def template(graph: Graph, issuer: Issuer) -> str:
    """What a token says of its user, in OpenBao's language: the groups, the name, and texts for conditions."""
    said = {issuer.groups: "groups.names", "name": "name", **{name: f"metadata.{name}" for name in claims(graph)}}
    return "{" + ", ".join(f"{json.dumps(name)}: {{{{identity.entity.{what}}}}}" for name, what in said.items()) + "}"


def policy(hosts: list[Host]) -> str:
    """What a person may do there: log in at hosts, get a token, change their own password, leave."""
    authorize = [f"identity/oidc/provider/{label_of(host.name)}/authorize" for host in hosts]
    lines = [policy_line(path, "read", "update") for path in authorize]
    lines += [policy_line(path, may) for path, may in ((f"identity/oidc/token/{API}", "read"), *_PAGES)]
    # who is called like this is who `garrison users add` made: the name is the entity's own
    return "\n".join(
        [*lines, 'path "auth/userpass/users/{{identity.entity.name}}/password" { capabilities = ["update"] }']
    )


def _bearer(graph: Graph, issuer: Issuer) -> Iterator[StoreObject]:
    """Tokens for hosts without login: asked for by a logged-in person, for this estate."""
    yield StoreObject(f"identity/oidc/key/{API}", _key([graph.name]))
    body = {
        "key": API,
        "client_id": graph.name,  # the `aud`
        "ttl": f"{d.USERS_TOKEN_SECONDS}s",
        "template": template(graph, issuer),
    }
    yield StoreObject(f"identity/oidc/role/{API}", body)


def _browser(graph: Graph, cluster: Cluster, host: Host, home: str) -> Iterator[StoreObject]:
    """A provider of its own for each host with login, and in it one client: no other can get a token of that issuer."""
    name, lives = exact_path(label_of(host.name)), f"{d.USERS_TOKEN_SECONDS}s"
    # who may use it is said by the provider, which knows the client; OpenBao makes the client's id up
    yield StoreObject(f"identity/oidc/key/{name}", _key(["*"]))
    client = {
        "key": name,
        "client_type": "confidential",
        "redirect_uris": [f"{tokens.url(graph, cluster, host.name)}{d.LOGIN_CALLBACK}"],
        "id_token_ttl": lives,
        "access_token_ttl": lives,
    }
    routes = [route for route in graph.routes_at.get(host.name, ()) if route.issuer]
    if all(route.group for route in routes):
        ids = [found(f"identity/group/name/{group}", "id") for group in sorted({route.group for route in routes})]
        yield StoreObject(f"identity/oidc/assignment/{name}", {"group_ids": ids})
        client["assignments"] = [name]
    else:
        client["assignments"] = ["allow_all"]  # OpenBao's own: some route is for anyone whom the issuer knows
    yield StoreObject(f"identity/oidc/client/{name}", client)
    body = {
        "issuer": home,
        "allowed_client_ids": [found(f"identity/oidc/client/{name}", "client_id")],
        "scopes_supported": [SCOPE],
    }
    yield StoreObject(f"identity/oidc/provider/{name}", body)


def _key(clients: list[str]) -> Json:
    return {
        "algorithm": d.USERS_KEY,
        "rotation_period": d.USERS_KEY_ROTATION,
        "verification_ttl": d.USERS_KEY_VERIFICATION,
        "allowed_client_ids": clients,
    }


def found(path: str, field: str) -> Json:
    """Stands for what the store made up: read there when the object is written. Never a secret."""
    return {"path": path, "field": field}
