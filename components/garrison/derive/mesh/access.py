"""Who may do what at a callee, as Envoy's RBAC filter: one policy a caller and one a route from outside, each of exact
methods and whole paths. What comes from outside, or with a token, needs the token besides the peer's identity.
"""

from __future__ import annotations

import re
from typing import Any

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive import tokens
from garrison.derive.mesh.envoy import typed
from garrison.derive.names import full_host
from garrison.model.graph import Call, Graph, Operation, Route
from garrison.words import Ref

Json = dict[str, Any]
KEYS = "keys"  # the cluster that leads to the edge, for the keys of issuers
VARIABLE = re.compile(r"\{[^}]*\}")

# One segment, as a `{name}` stands for it (RFC 3986 section 3.3, pchar), without what servers read differently than we:
# `;` begins parameters that some cut off before they route, and an octet that is encoded twice, or as a delimiter
# (`/ \ ; ? # .`, controls, overlong UTF-8), can be another path to whoever decodes once more.
_PLAIN = r"[-A-Za-z0-9._~!$&'()*+,=:@]"
_ENCODED = (
    r"%(?:2[0-246-9A-Da-d]|3[0-9ACDEacde]|[46][0-9A-Fa-f]|5[0-9ABDEFabdef]|7[0-9A-Ea-e]"
    r"|[89ABDEFabdef][0-9A-Fa-f]|[Cc][2-9A-Fa-f])"
)
SEGMENT = f"(?:{_PLAIN}|{_ENCODED})+"


def verification(graph: Graph, cluster: Cluster, callee: Ref) -> list[Json]:
    """Envoy's filter for tokens, where any reach the callee: one that does not hold is refused whoever sends it, and
    what needs one and has none is left to the authorisation.
    """
    accepted = tokens.at_service(graph, cluster, callee)
    if not accepted:
        return []
    body = typed(
        "extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        providers={one.name: _provider(one) for one in accepted},
        rules=[{"match": {"prefix": "/"}, "requires": tokens.requirement(accepted, optional=True)}],
    )
    return [{"name": tokens.FILTER, "typed_config": body}]


def _provider(verifier: tokens.Verifier) -> Json:
    """With the issuer's keys as the edge hands them on, over the mesh: no sidecar has a way to the issuer."""
    uri = f"https://{full_host(d.EDGE)}/keys/{verifier.name}"
    return tokens.provider(verifier, uri, KEYS, forward_payload_header=d.CLAIMS_HEADER)


def authorisation(graph: Graph, cluster: Cluster, callee: Ref, port: str = "") -> Json:
    """Envoy's RBAC filter: one policy per caller and route; without any it has no policy and refuses everyone."""
    calls = [call for call in graph.calls_to.get(callee, ()) if call.port == port and not call.connects]
    policies = {str(call.caller): _policy(graph, cluster, call) for call in calls}
    if not port:  # what comes from outside comes to the main one
        policies |= {rule_name(route): _served(graph, cluster, route) for route in graph.routes_of.get(callee, ())}
    rules = {"action": "ALLOW", "policies": policies}
    return {
        "name": "envoy.filters.http.rbac",
        "typed_config": typed("extensions.filters.http.rbac.v3.RBAC", rules=rules),
    }


def rule_name(route: Route) -> str:
    """What the log calls the rule of a route."""
    return f"{d.EDGE} {route.operation} at {route.host}"


def _policy(graph: Graph, cluster: Cluster, call: Call) -> Json:
    """The caller itself; where it forwards a token, with one that it could have been given."""
    peer = _both(principal(graph.spiffe_id(call.caller)), *_nothing_asked(graph, call.callee))
    if call.forwards:
        peer = _both(peer, tokens.holders(tokens.at_service(graph, cluster, call.caller)))
    return {"permissions": [permission(operation) for operation in call.operations], "principals": [peer]}


def _served(graph: Graph, cluster: Cluster, route: Route) -> Json:
    """The edge, and what the route asks of a user: the edge's own word for it does not count."""
    edge = principal(graph.spiffe_id(d.EDGE))
    if tokens.is_opaque(graph, route):
        peer = _both(edge, _ASKED)  # it says whose the token is: nobody here could ask
    else:
        users = [] if route.public else [tokens.users_of(graph, cluster, route)]
        peer = _both(edge, *users, *_nothing_asked(graph, route.service))
    policy = {"permissions": [permission(route.operation)], "principals": [peer]}
    known = () if tokens.is_opaque(graph, route) else route.where  # of claims that are not in a token here
    return policy | tokens.condition(known, route.operation)


_ASKED: Json = {"header": {"name": d.ASKED_CLAIMS, "present_match": True}}


def serves_opaque(graph: Graph, ref: Ref) -> bool:
    """Whether the edge tells a service claims that its sidecar cannot verify."""
    return any(tokens.is_opaque(graph, route) for route in graph.routes_of.get(ref, ()))


def _nothing_asked(graph: Graph, callee: Ref) -> list[Json]:
    """Claims that are told are believed of the edge, on the routes for which it asks, and are refused from others."""
    return [{"not_id": _ASKED}] if serves_opaque(graph, callee) else []


def _both(*principals: Json) -> Json:
    if len(principals) == 1:
        return principals[0]
    return {"and_ids": {"ids": [*principals]}}


def principal(identity: str) -> Json:
    """A certificate with this name and no other.

    Envoy takes any of a certificate's names for the match, and tells the application all of them: with two names it
    would be authorised as one and heard as the other. So what the application will be told has to be this name alone.
    """
    certificate = {"authenticated": {"principal_name": {"exact": identity}}}
    told = {"safe_regex": {"regex": f"By=[^;,]*;Hash=[0-9a-f]*;URI={re.escape(identity)}"}}
    return {"and_ids": {"ids": [certificate, {"header": {"name": "x-forwarded-client-cert", "string_match": told}}]}}


def permission(operation: Operation) -> Json:
    method = {"header": {"name": ":method", "string_match": {"exact": operation.method}}}
    return {"and_rules": {"rules": [method, {"url_path": {"path": _path(operation.path)}}]}}


def _path(template: str) -> Json:
    """A path without variables is compared as it is: no pattern to compile, none to be wrong."""
    return {"safe_regex": {"regex": path_pattern(template)}} if VARIABLE.search(template) else {"exact": template}


def path_pattern(template: str) -> str:
    """The RE2 pattern of a path template: each `{name}` is one non-empty segment, a last `{name...}` all the rest."""
    if template.endswith("...}"):
        before = template[: template.rindex("{")]
        return f"{path_pattern(before)}(?:{SEGMENT}(?:/{SEGMENT})*/?)?"
    return SEGMENT.join(re.escape(part) for part in VARIABLE.split(template))
