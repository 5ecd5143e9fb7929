"""Logging in: the embedded issuer's own pages, of which only what a login needs is open, and a browser's session.

A session is the issuer's ID token, encrypted (AES-GCM) in cookies of the host that no script reads; the code flow with
PKCE brings it (RFC 6749, RFC 7636). It ends when the token does, or at /logout.
"""

from __future__ import annotations

from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import login as logins
from garrison.derive.edge import counting, filters, guesses, limits, routes
from garrison.derive.edge.limits import PASSWORDS
from garrison.derive.edge.names import USERS, login_host, login_of
from garrison.derive.mesh.envoy import typed
from garrison.derive.names import label_of
from garrison.derive.tokens import at_host, provider, requirement, url
from garrison.model.graph import Graph, Issuer

Json = dict[str, Any]
PLACE: Final = "/v1/identity/oidc"
ROLE: Final = "api"  # of tokens for hosts without login
# What the login page of OpenBao 2.7 asks for, seen with a browser; everything else of its API is 404 here.
PAGES: Final = (
    ("GET", "/v1/sys/health"),
    ("GET", "/v1/sys/seal-status"),
    ("POST", "/v1/sys/capabilities-self"),
    ("GET", "/v1/sys/internal/ui/mounts"),
    ("GET", "/v1/sys/internal/ui/namespaces"),
    ("GET", "/v1/sys/internal/ui/resultant-acl"),
    ("POST", "/v1/auth/token/revoke-self"),
)
PASSWORD: Final = ("POST", "/v1/auth/userpass/login/{user}")
CHANGE: Final = ("POST", "/v1/auth/userpass/users/{user}/password")  # `garrison password`
TOKEN: Final = ("GET", f"{PLACE}/token/{ROLE}")  # `garrison token`: for people on a command line


# --- the embedded issuer's own host ----------------------------------------------------------------------------------


def pages(graph: Graph, cluster: Cluster) -> Json:
    """The RouteConfiguration of the login host: an allow-list."""
    host = login_host(graph)
    asked = [*PAGES, TOKEN, *(("GET", f"{PLACE}/provider/{name}/authorize") for name in providers(graph))]

    def guess(name: str) -> Json:
        mine = limits.per_route([PASSWORDS], told=not counting.on(cluster))
        return mine | counting.per_route(cluster, [PASSWORDS], f"{host} {name}")

    rows = [
        _page("password", routes.matching(PASSWORD[1], PASSWORD[0]), guess("password") | guesses.at_password()),
        _page("new password", routes.matching(CHANGE[1], CHANGE[0]), guess("new password")),
        *(_page(path, routes.matching(path, method)) for method, path in asked),
        *(_page("pages", {"prefix": "/ui/", "headers": [_method(method)]}) for method in ("GET", "HEAD")),
    ]
    return routes.configuration(host, cluster.entrance.port, rows, ())


def providers(graph: Graph) -> list[str]:
    """The OpenID providers of the embedded issuer: one for each host at which browsers log in with it."""
    hosts = (host.name for host in graph.hosts)
    return [label_of(name) for name in hosts if (issuer := login_of(graph, name)) and issuer.embedded]


def _method(name: str) -> Json:
    return {"name": ":method", "string_match": {"exact": name}}


def _page(name: str, match: Json, more: Json | None = None) -> Json:
    return {
        "name": f"login {name}",
        "match": match,
        "route": {
            "cluster": USERS,
            "timeout": d.REQUEST_TIMEOUT,
            "host_rewrite_literal": f"{d.USERS.name}.{d.USERS.namespace}",
        },
        "typed_per_filter_config": {filters.ACCESS: routes.anybody("login page"), **(more or {})},
    }


# --- token rules of a host -------------------------------------------------------------------------------------------


def token_rules(graph: Graph, cluster: Cluster, host: str, audience: str = "") -> Json:
    """The jwt_authn filter of a host; `audience` is the client id of its login, where the issuer made that up."""
    accepted = at_host(graph, cluster, host)
    more: Json = {"audiences": [audience]} if audience else {}
    known = {one.name: provider(one, *keys_of(one.keys), **more) for one in accepted}
    rules = {routes.ANYBODY: requirement(accepted, optional=True)}
    if accepted:
        rules |= {routes.USERS: requirement(accepted)}
    return typed(filters.JWT, providers=known, requirement_map=rules)


def keys_of(keys: str) -> tuple[str, str]:
    """Where a key set is, and the cluster that leads there: a path at the embedded issuer, or a URL elsewhere."""
    if keys.startswith("https://"):
        return keys, keys.removeprefix("https://").partition("/")[0]
    return f"https://{d.USERS.name}.{d.USERS.namespace}.svc{keys}", USERS


# --- a browser's session ---------------------------------------------------------------------------------------------


def oauth2(graph: Graph, cluster: Cluster, host: str, client_id: str) -> Json:
    """The oauth2 filter of a host for a client of that id; raises KeyError where browsers do not log in there."""
    issuer = login_of(graph, host)
    if issuer is None:
        raise KeyError(host)
    label, own = label_of(host), url(graph, cluster, host)
    token, authorize, leave = _endpoints(graph, cluster, issuer, label)
    uri, upstream = keys_of(token)
    lax = {"same_site": "LAX"}
    cookies = ("bearer_token", "oauth_hmac", "oauth_expires", "id_token", "oauth_nonce", "code_verifier")
    config: Json = {
        "token_endpoint": {"uri": uri, "cluster": upstream, "timeout": d.REQUEST_TIMEOUT},
        "authorization_endpoint": authorize,
        "redirect_uri": f"{own}{d.LOGIN_CALLBACK}",
        "redirect_path_matcher": {"path": {"exact": d.LOGIN_CALLBACK}},
        "signout_path": {"path": {"exact": d.LOGOUT}},
        "credentials": {
            "client_id": client_id,
            "token_secret": logins.secret("client", host),
            "hmac_secret": logins.secret("cookie", host),
        },
        "auth_scopes": ["openid", issuer.groups.partition(".")[0]],
        "auth_type": "BASIC_AUTH",
        "forward_id_token": {"header": "Authorization"},
        "use_refresh_token": False,
        "default_expires_in": d.SESSION,
        "cookie_configs": {f"{name}_cookie_config": lax for name in cookies},
        "allowed_redirect_domains": [host],
        # a script gets 401 and says so to its user; only a page that a person opens is sent to the login
        "deny_redirect_matcher": [
            {"name": ":method", "string_match": {"exact": "GET"}, "invert_match": True},
            {"name": "sec-fetch-mode", "string_match": {"exact": "cors"}},
        ],
    }
    if leave:
        config |= {"end_session_endpoint": leave, "post_logout_redirect_uri": {"disabled": True}}
    return typed(filters.OAUTH2, config=config)


def _endpoints(graph: Graph, cluster: Cluster, issuer: Issuer, label: str) -> tuple[str, str, str]:
    """Where the edge gets tokens, where browsers log in, and where they log out."""
    if not issuer.embedded:
        return issuer.token, issuer.authorize, issuer.end_session
    pages = f"{url(graph, cluster, issuer.login)}/ui/vault"
    return (
        f"{PLACE}/provider/{label}/token",
        f"{pages}{PLACE.removeprefix('/v1')}/provider/{label}/authorize",
        f"{pages}/logout",
    )


def responses(graph: Graph, cluster: Cluster) -> logins.Filters:
    """What the login agent writes for a host, once it knows the client id."""

    def of_host(host: str, client_id: str) -> dict[str, Json]:
        issuer = login_of(graph, host)
        audience = client_id if issuer is not None and issuer.embedded else ""
        return {
            "oauth2": filters.discovered(filters.session(host), oauth2(graph, cluster, host, client_id)),
            "jwt": filters.discovered(filters.verified(host), token_rules(graph, cluster, host, audience)),
        }

    return of_host
