"""The filters of a host in their order: what is cheap and needs no trust first, the service last."""

from __future__ import annotations

from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import contract_filter
from garrison.derive import login as logins
from garrison.derive.edge import answers, counting, guesses, limits
from garrison.derive.edge.names import login_of, tokens_file
from garrison.derive.mesh.envoy import typed
from garrison.derive.tokens import introspected, url
from garrison.model.graph import Graph

Json = dict[str, Any]
# Names by which routes speak of the filters.
ACCESS: Final = "envoy.filters.http.rbac"
CONTRACT: Final = contract_filter.NAME
BEARER: Final = "bearer"
HTTP: Final = "extensions.filters.http"
JWT: Final = f"{HTTP}.jwt_authn.v3.JwtAuthentication"
OAUTH2: Final = f"{HTTP}.oauth2.v3.OAuth2"


def session(host: str) -> str:
    """The filter of browsers' sessions at a host; what is read from files has a name of its own in the whole proxy."""
    return f"oauth2.{host}"


def verified(host: str) -> str:
    """The filter that verifies tokens at a host."""
    return f"jwt.{host}"


def of_host(graph: Graph, cluster: Cluster, host: str) -> tuple[Json, ...]:
    login = login_of(graph, host)
    known = logins.file("jwt", host) if login else f"{d.RUN_DIR}/{tokens_file(host)}"
    browsers = [_same_origin(url(graph, cluster, host)), _watched(session(host), logins.file("oauth2", host), OAUTH2)]
    return (
        answers.answer(),
        _size(d.EDGE_BODY_BYTES),
        limits.of_addresses(),
        *(browsers if login else ()),
        _watched(verified(host), known, JWT),
        *(() if login else _opaque(graph)),
        nobody(),
        limits.of_routes(),
        *counting.http_filter(graph, cluster),
        contract_filter.http_filter(),
        _without("cookies", "cookie"),
        _without(BEARER, "authorization"),
    )


def _opaque(graph: Graph) -> tuple[Json, ...]:
    """For tokens that are asked about, on routes that say so: who asks, and where the answer is kept."""
    asked = [contract_filter.introspection_filter(issuer.name) for issuer in introspected(graph)]
    return (*asked, contract_filter.told_filter()) if asked else ()


def of_login_pages(graph: Graph, cluster: Cluster) -> tuple[Json, ...]:
    """At the embedded issuer's own host: it judges its users itself."""
    return (
        answers.answer(),
        _size(d.LOGIN_BODY_BYTES),
        limits.of_addresses(),
        nobody(),
        limits.of_routes(),
        *counting.http_filter(graph, cluster),
        guesses.alike(),
        _without("cookies", "cookie"),
        _without(BEARER, "authorization"),
    )


def _size(most: int) -> Json:
    return {"name": "size", "typed_config": typed(f"{HTTP}.body_size_limit.v3.BodySizeLimit", max_request_bytes=most)}


def _same_origin(origin: str) -> Json:
    """A request that changes something comes from a page of this host: its Origin says so, which no page can forge."""
    hundred = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    exact = [{"exact": origin.removeprefix("https://")}]
    body = typed(f"{HTTP}.csrf.v3.CsrfPolicy", filter_enabled=hundred, additional_origins=exact)
    return {"name": "origin", "typed_config": body}


def _watched(name: str, file: str, kind: str) -> Json:
    """A filter that is read again whenever its file is replaced; without the file Envoy does not start."""
    folder = file.rpartition("/")[0]
    source = {"path_config_source": {"path": file, "watched_directory": {"path": folder}}}
    found = {
        "config_source": {**source, "resource_api_version": "V3"},
        "type_urls": [typed(kind)["@type"]],
    }
    return {"name": name, "config_discovery": found}


def discovered(name: str, body: Json) -> Json:
    """A filter as such a file has it."""
    return {"resources": [typed("config.core.v3.TypedExtensionConfig", name=name, typed_config=body)]}


def nobody() -> Json:
    """Refuses everybody: only what a route says lets anybody in."""
    rules = {"action": "ALLOW", "policies": {}}
    return {"name": ACCESS, "typed_config": typed(f"{HTTP}.rbac.v3.RBAC", rules=rules)}


def _without(name: str, header: str) -> Json:
    """No service gets a cookie of ours, nor a token but where its route is for users."""
    body = typed(f"{HTTP}.header_mutation.v3.HeaderMutation", mutations={"request_mutations": [{"remove": header}]})
    return {"name": name, "typed_config": body}
