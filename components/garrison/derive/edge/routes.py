"""What is served at a host: each route with its own decision, and for everything else the answer that it is not there.

All of it is one file, so that a route that comes, changes or goes touches nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import contract_filter, tokens
from garrison.derive.edge import counting, filters, limits
from garrison.derive.edge.names import login_of
from garrison.derive.mesh.access import VARIABLE, path_pattern, permission, rule_name
from garrison.derive.mesh.envoy import typed
from garrison.model.calls import ByPath
from garrison.model.graph import Graph, Operation, Route

Json = dict[str, Any]
IDEMPOTENT: Final = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")  # RFC 9110 section 9.2.2
USERS: Final = "users"  # the two rules about tokens, in the file of the filter
ANYBODY: Final = "anybody"
OFF: Final = typed("config.route.v3.FilterConfig", disabled=True)


def of_host(graph: Graph, cluster: Cluster, host: str) -> Json:
    """The RouteConfiguration of a host."""
    served = graph.routes_at.get(host, ())
    rows = [route(graph, cluster, one) for one in served]
    unused = off(graph, host)
    others = _other_methods([one.operation for one in served], unused)
    return configuration(host, cluster.entrance.port, [*_session(graph, host), *rows, *others], unused)


def configuration(host: str, port: int, routes: Iterable[Json], unused: Sequence[str]) -> Json:
    """Under the exact name, with and without the port; a request for another name came to the wrong place."""
    names = [host, *(f"{host}:{number}" for number in sorted({443, port}))]
    mine = {"name": host, "domains": names, "routes": [*routes, answer(404, unused)]}
    wrong = {"name": "another", "domains": ["*"], "routes": [answer(421, unused)]}
    return typed("config.route.v3.RouteConfiguration", name=host, virtual_hosts=[mine, wrong])


def _session(graph: Graph, host: str) -> Iterator[Json]:
    """Where a browser's session begins and ends: the filter of sessions answers, and nothing is behind it."""
    for path in (d.LOGIN_CALLBACK, d.LOGOUT) if login_of(graph, host) else ():
        unused = [filters.verified(host), filters.CONTRACT]
        yield answer(404, unused, where=matching(path, "GET"), name=f"session {path}")


def off(graph: Graph, host: str) -> list[str]:
    """The filters that do nothing where nothing is served."""
    return [*([filters.session(host)] if login_of(graph, host) else []), filters.verified(host), filters.CONTRACT]


def route(graph: Graph, cluster: Cluster, one: Route) -> Json:
    """One route: whom it lets in, how often, what of the request the service gets."""
    service = one.service
    decision: Json = {
        filters.ACCESS: access(graph, cluster, one),
        **_verified(graph, one),
        **limits.per_route(one.rates, told=not counting.on(cluster)),
        **counting.per_route(cluster, one.rates, f"{one.host} {service}: {one.operation}"),
        **contract_filter.per_route(graph, one),
    }
    if one.public and login_of(graph, one.host):
        decision |= {
            filters.session(one.host): OFF,
            filters.verified(one.host): OFF,
        }  # nobody is sent to a login for it
    if one.issuer and not tokens.is_opaque(graph, one):
        decision |= {filters.BEARER: OFF}  # it goes on to the sidecar, which verifies it again
    action = {
        "cluster": str(service),
        "timeout": d.REQUEST_TIMEOUT,
        "host_rewrite_literal": f"{service.name}.{service.namespace}",
        "retry_policy": _retry(one.operation.method),
    }
    return {
        "name": f"{service}: {one.operation}",
        "match": matching(one.operation.path, one.operation.method),
        "route": action,
        "typed_per_filter_config": decision,
    }


def _verified(graph: Graph, one: Route) -> Json:
    """How a route knows its user: by a token's signature, or by asking its issuer."""
    if tokens.is_opaque(graph, one):
        asked = (contract_filter.asks(one.issuer), contract_filter.TOLD)
        return {filters.verified(one.host): OFF, **{name: contract_filter.on() for name in asked}}
    required = ANYBODY if one.public else USERS
    return {filters.verified(one.host): typed(f"{filters.HTTP}.jwt_authn.v3.PerRouteConfig", requirement_name=required)}


def access(graph: Graph, cluster: Cluster, one: Route) -> Json:
    """The one policy of a route, by the name that the sidecar's has."""
    users: Json = {"any": True} if one.public else tokens.users_of(graph, cluster, one)
    policy = {"permissions": [permission(one.operation)], "principals": [users]}
    return rule(rule_name(one), policy | tokens.condition(one.where, one.operation))


def rule(name: str, policy: Json) -> Json:
    rules = {"action": "ALLOW", "policies": {name: policy}}
    return typed(f"{filters.HTTP}.rbac.v3.RBACPerRoute", rbac={"rules": rules})


def anybody(name: str = "anybody") -> Json:
    return rule(name, {"permissions": [{"any": True}], "principals": [{"any": True}]})


def matching(path: str, method: str = "") -> Json:
    """Exactly this, as the sidecars compare it."""
    where: Json = {"safe_regex": {"regex": path_pattern(path)}} if VARIABLE.search(path) else {"path": path}
    asked = [{"name": ":method", "string_match": {"exact": method}}] if method else []
    return where | ({"headers": asked} if asked else {})


def _retry(method: str) -> Json:
    """What may be done twice is tried again; anything else only where nothing of it was sent."""
    unsent = "connect-failure,reset-before-request"
    return {"retry_on": f"{unsent},reset" if method in IDEMPOTENT else unsent, "num_retries": d.RETRIES}


def _other_methods(operations: Sequence[Operation], unused: Sequence[str]) -> Iterator[Json]:
    """405 for each path, with the methods that it has (RFC 9110 section 15.5.6); plain paths before templates."""
    paths = {one.segments: one.path for one in operations}
    known: dict[str, ByPath] = {}
    for one in operations:
        known.setdefault(one.method, ByPath()).add(one)
    for segments, path in sorted(paths.items(), key=lambda item: (item[0].count("{}"), item[0])):
        asked = [(Operation(method, path), there) for method, there in known.items()]
        allowed = {one.method for one, there in asked if any(other.covers(one) for other in there.meeting(one))}
        yield answer(
            405, unused, where=matching(path), name=f"405 /{'/'.join(segments)}", allow=", ".join(sorted(allowed))
        )


def answer(status: int, unused: Sequence[str], *, where: Json | None = None, name: str = "", allow: str = "") -> Json:
    """An answer of the edge's own; its body is that of all refusals."""
    made: Json = {
        "name": name or str(status),
        "match": where or {"prefix": "/"},
        "direct_response": {"status": status},
        "typed_per_filter_config": {filters.ACCESS: anybody(), **dict.fromkeys(unused, OFF)},
    }
    header = {"header": {"key": "allow", "value": allow}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    return made | ({"response_headers_to_add": [header]} if allow else {})
