"""Whose tokens count where, and what a token has to say: written once, for the edge and for every sidecar behind it.

A token (RFC 7519) is verified by Envoy's `jwt_authn`, with the keys of one `Verifier`; what it gives is a claim rule of
Envoy's RBAC over the verified payload. What `jwt_authn` lets pass and should not, the rule refuses: an audience that is
only alike, an `Authorization` that is more than `Bearer TOKEN`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from garrison import defaults as d
from garrison.cluster import Cluster
from garrison.derive.names import label_of
from garrison.model.calls import Operation
from garrison.model.conditions import Alternatives, Comparison, Term, in_proxy
from garrison.model.graph import Graph, Host, Issuer, Route
from garrison.words import Ref

Json = dict[str, Any]
FILTER: Final = "envoy.filters.http.jwt_authn"
PAYLOAD: Final = "jwt"  # under which the filter keeps the verified payload, in its own metadata
BEARER: Final = r"Bearer [-A-Za-z0-9_]+\.[-A-Za-z0-9_]+\.[-A-Za-z0-9_]+"  # the whole header (RFC 6750, RFC 7515)
OPAQUE: Final = r"Bearer [-A-Za-z0-9._~+/]+=*"  # the whole header (RFC 6750)
PLAIN_QUERY: Final = r"^[-A-Za-z0-9._~!$'()*,:@/?=&]*$"
"""A query that every server reads alike: nothing encoded, no `+` for a space, no `;` or `[]` that divide for some."""


@dataclass(frozen=True, order=True)
class Verifier:
    """What tokens of one issuer are checked against, for one kind of client."""

    name: str
    """A DNS label; the edge serves its keys to the sidecars at `/keys/NAME`."""
    issuer: str
    """The `iss`, exactly."""
    audiences: tuple[str, ...]
    """The `aud`, exactly one of these. Empty where the issuer made it up and gives it to one client alone: then the
    issuer's name stands for it, and the edge, which has learnt it, checks it."""
    keys: str
    """Where the key set is (RFC 7517): a path at the embedded issuer, or another issuer's https URL."""
    groups: str
    """The claim that lists groups, with dots for a claim in a claim."""

    @property
    def opaque(self) -> bool:
        """Its tokens are asked about, by the edge alone: nobody has keys to verify them with."""
        return not self.keys


def url(_: Graph, cluster: Cluster, host: str) -> str:
    """A host of the edge, or the embedded issuer's own, as clients of this cluster write it."""
    port = cluster.entrance.port
    return f"https://{host}" if port == 443 else f"https://{host}:{port}"


def verifiers(graph: Graph, cluster: Cluster) -> tuple[Verifier, ...]:
    """All of the graph."""
    return _sorted(v for host in graph.hosts for v in at_host(graph, cluster, host.name))


def at_host(graph: Graph, cluster: Cluster, host: str) -> tuple[Verifier, ...]:
    """Those whose tokens are verified at a host."""
    issuers = {route.issuer for route in graph.routes_at.get(host, ()) if route.issuer}
    return _sorted(_verifier(graph, cluster, issuer, host) for issuer in issuers)


def introspected(graph: Graph) -> tuple[Issuer, ...]:
    """The issuers whose tokens the edge asks about (RFC 7662), for some route."""
    used = {route.issuer for route in graph.routes}
    return tuple(issuer for issuer in graph.issuers if issuer.opaque and issuer.name in used)


def is_opaque(graph: Graph, route: Route) -> bool:
    """Whether a route is for users whose tokens the edge asks about."""
    return bool(route.issuer) and graph.issuer_by_name[route.issuer].opaque


def at_service(graph: Graph, cluster: Cluster, ref: Ref) -> tuple[Verifier, ...]:
    """Those whose tokens reach a service: through its routes, and from whoever forwards to it, however far."""
    return _sorted(_verifier(graph, cluster, issuer, host) for issuer, host in graph.tokens_at.get(ref, ()))


def _sorted(found: Iterable[Verifier]) -> tuple[Verifier, ...]:
    return tuple(sorted({one for one in found if not one.opaque}))


def _verifier(graph: Graph, cluster: Cluster, issuer_name: str, host_name: str) -> Verifier:
    """Of one issuer at a host: with login there, the tokens are those that its own login got."""
    issuer = graph.issuer_by_name[issuer_name]
    host = graph.host_by_name.get(host_name, Host(""))  # no name is any host without login
    return _embedded(graph, cluster, issuer, host) if issuer.embedded else _other(issuer, host)


def _embedded(graph: Graph, cluster: Cluster, issuer: Issuer, host: Host) -> Verifier:
    place, name = "/v1/identity/oidc", issuer.name
    audiences: tuple[str, ...] = (graph.name,)
    if host.login:
        name, audiences = label_of(host.name), ()
        place = f"{place}/provider/{name}"
    return Verifier(
        name, url(graph, cluster, issuer.login) + place, audiences, f"{place}/.well-known/keys", issuer.groups
    )


def _other(issuer: Issuer, host: Host) -> Verifier:
    """A browser's session holds an ID token, which is for the client (OpenID Connect Core, section 2)."""
    name, audience = (label_of(host.name), issuer.client) if host.login else (issuer.name, issuer.audience)
    return Verifier(name, issuer.url, (audience,), issuer.jwks, issuer.groups)


# --- jwt_authn ------------------------------------------------------------------------------------------------------


def provider(verifier: Verifier, uri: str, cluster: str, **more: Any) -> Json:
    """A provider of `jwt_authn` whose key set is at `uri`, reached through the Envoy cluster `cluster`.

    The keys are fetched when they are needed and used for so long; where nobody gives new ones, nothing passes then. A
    fetch ahead of time (`async_fetch`) would keep old keys for ever, a token cache would not look at the keys again.
    """
    return {
        "issuer": verifier.issuer,
        **({"audiences": [*verifier.audiences]} if verifier.audiences else {}),
        "remote_jwks": {
            "http_uri": {"uri": uri, "cluster": cluster, "timeout": d.KEYS_TIMEOUT},
            "cache_duration": d.KEYS_CACHE,
            "retry_policy": {"num_retries": d.RETRIES},
        },
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        "require_expiration": True,
        "clock_skew_seconds": d.CLOCK_SKEW_SECONDS,
        "payload_in_metadata": PAYLOAD,
        "normalize_payload_in_metadata": {"space_delimited_claims": ["scope"]},
        "forward": True,  # so that the rule behind it sees the header; a mutation takes it out later
        **more,
    }


def requirement(accepted: Sequence[Verifier], *, optional: bool = False) -> Json:
    """That the token is one of these; `optional`, that it is one of these where there is one at all."""
    names: list[Json] = [{"provider_name": verifier.name} for verifier in accepted]
    any_of = [*names, {"allow_missing": {}}] if optional else names
    return any_of[0] if len(any_of) == 1 else {"requires_any": {"requirements": any_of}}


# --- claim rules ----------------------------------------------------------------------------------------------------


def users_of(graph: Graph, cluster: Cluster, route: Route) -> Json:
    """The RBAC principal of a route that is not public: whose token it is, for whom, in which group."""
    verifier = _verifier(graph, cluster, route.issuer, route.host)
    return holders([verifier], route.group, OPAQUE if is_opaque(graph, route) else BEARER)


def holders(accepted: Iterable[Verifier], group: str = "", written: str = BEARER) -> Json:
    """The RBAC principal of whoever has a verified token of one of these, and is in the group if one is named."""
    bearer = {"header": {"name": "authorization", "string_match": {"safe_regex": {"regex": written}}}}
    any_of = [_all(_rules(verifier, group)) for verifier in accepted]
    return _all([bearer, _any(any_of) if any_of else {"not_id": {"any": True}}])


def _rules(verifier: Verifier, group: str) -> list[Json]:
    rules = [_claim("iss", {"string_match": {"exact": verifier.issuer}})]
    if verifier.audiences:  # `jwt_authn` takes https://name/ for name
        rules.append(_any([_claim("aud", {"string_match": {"exact": audience}}) for audience in verifier.audiences]))
    if group:
        rules.append(_claim(verifier.groups, {"list_match": {"one_of": {"string_match": {"exact": group}}}}))
    return rules


def _claim(name: str, value: Json) -> Json:
    path = [{"key": key} for key in (PAYLOAD, *name.split("."))]
    matcher = {"filter": FILTER, "path": path, "value": value}
    return {"sourced_metadata": {"metadata_matcher": matcher, "metadata_source": "DYNAMIC"}}


def _all(ids: list[Json]) -> Json:
    return ids[0] if len(ids) == 1 else {"and_ids": {"ids": ids}}


def _any(ids: list[Json]) -> Json:
    return ids[0] if len(ids) == 1 else {"or_ids": {"ids": ids}}


# --- conditions -----------------------------------------------------------------------------------------------------
# One tree of CEL is made of a condition and written twice: as the syntax tree that Envoy takes, and as the text that a
# service evaluates. Only what a term stands for differs: Envoy takes the request apart, a service is given the parts.
# Nothing is negated, so that what cannot be evaluated (a claim that is missing, of another type) never holds.


@dataclass(frozen=True)
class Const:
    value: str | float


@dataclass(frozen=True)
class Name:
    name: str


@dataclass(frozen=True)
class Apply:
    """A function of CEL; `on` says that the first argument is what a method is called on."""

    function: str
    arguments: tuple[Cel, ...]
    on: bool = False


Cel = Const | Name | Apply
INFIX: Final = {"_&&_", "_||_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_+_", "@in"}


def condition(where: Alternatives, operation: Operation) -> Json:
    """What an RBAC policy adds for a condition; of one that a proxy cannot decide, the part that it can.

    The functions of strings that take a path and a query apart are off in Envoy unless a policy asks for them.
    """
    known = tuple(tuple(one for one in all_of if one.in_proxy) for all_of in where)
    if not known or not all(known):
        return {}
    tree = _tree(known, lambda term: _in_proxy(term, operation))
    return {
        "condition": _syntax(tree),
        "cel_config": {"enable_string_functions": True, "enable_string_concat": True},
    }


def text(where: Alternatives) -> str:
    """The whole condition for the service, over the maps claim, path, query and data.

    A path parameter with an encoded octet and a query parameter that is not there just once are not in the maps.
    """
    return _written(_tree(where, _in_service))


def rules(graph: Graph, cluster: Cluster, ref: Ref) -> dict[str, str]:
    """What a service decides itself: for each operation of which some route needs its data, who may do it.

    As CEL text over claim, path, query, data and `caller`, the peer's SPIFFE id. All of the operation's routes and
    callers are in it: the service does not learn which of them let the request pass.
    """
    served: dict[Operation, list[Route]] = {}
    for route in graph.routes_of.get(ref, ()):
        served.setdefault(route.operation, []).append(route)
    own = {operation: routes for operation, routes in served.items() if not all(in_proxy(r.where) for r in routes)}
    return {str(operation): _written(_rule(graph, cluster, operation, routes)) for operation, routes in own.items()}


def _rule(graph: Graph, cluster: Cluster, operation: Operation, routes: Sequence[Route]) -> Cel:
    """A route's part holds for the edge alone; another caller passed the proxy, which knows all there is to it."""
    calls = graph.calls_to.get(routes[0].service, ())
    callers = [call.caller for call in calls if any(said.meets(operation) for said in call.operations)]
    parts = [_caller(graph, caller) for caller in callers]
    parts += [
        _joined("_&&_", [_caller(graph, d.EDGE), *_user(graph, cluster, route), *_where(route)]) for route in routes
    ]
    return _joined("_||_", parts)


def _caller(graph: Graph, ref: Ref) -> Cel:
    return Apply("_==_", (Name("caller"), Const(graph.spiffe_id(ref))))


def _user(graph: Graph, cluster: Cluster, route: Route) -> Iterable[Cel]:
    """`users_of` once more."""
    if route.public:
        return
    verifier, claim = _verifier(graph, cluster, route.issuer, route.host), Name("claim")
    yield Apply("_==_", (_at(claim, Const("iss")), Const(verifier.issuer)))
    if verifier.audiences:
        aud = _at(claim, Const("aud"))
        yield _joined("_||_", [Apply("_==_", (aud, Const(audience))) for audience in verifier.audiences])
    if route.group:
        groups = Term("claim", verifier.groups)
        yield from _comparison(Comparison(Term("text", route.group), "in", groups), _in_service)


def _where(route: Route) -> list[Cel]:
    return [_tree(route.where, _in_service)] if route.where else []


def _tree(where: Alternatives, term: Callable[[Term], tuple[Cel, list[Cel]]]) -> Cel:
    return _joined(
        "_||_", [_joined("_&&_", [part for one in all_of for part in _comparison(one, term)]) for all_of in where]
    )


def _joined(function: str, parts: Sequence[Cel]) -> Cel:
    first, *rest = parts
    return Apply(function, (first, _joined(function, rest))) if rest else first


def _comparison(one: Comparison, term: Callable[[Term], tuple[Cel, list[Cel]]]) -> Iterable[Cel]:
    """What has to hold: that both sides are what they claim to be and of one type, and then the comparison."""
    (left, before), (right, beside) = term(one.left), term(one.right)
    yield from (*before, *beside)
    if one.comparator == "in":
        yield _typed(right, Name("list"))  # of a map, `in` would ask for its keys
        if KINDS.get(one.left.source) is None:
            yield Apply("_!=_", (left, Name("null")))
        yield Apply("@in", (left, right))
        return
    kinds = [KINDS.get(side.source) for side in one.terms]
    for side, other in ((left, kinds[1]), (right, kinds[0])):
        if other and not isinstance(side, Const):
            yield _typed(side, Name(other))
    if kinds == [None, None]:
        yield Apply("_==_", (Apply("type", (left,)), Apply("type", (right,))))
        yield Apply("_!=_", (left, Name("null")))
    yield Apply(f"_{one.comparator}_", (left, right))


KINDS: Final = {"text": "string", "path": "string", "query": "string", "number": "double"}


def _typed(value: Cel, kind: Cel) -> Cel:
    return Apply("_==_", (Apply("type", (value,)), kind))


def _constant(term: Term) -> Const:
    return Const(float(term.name) if term.source == "number" else term.name)


def _in_service(term: Term) -> tuple[Cel, list[Cel]]:
    if term.source in ("text", "number"):
        return _constant(term), []
    keys = term.name.split(".") if term.source in ("claim", "data") else [term.name]
    return _at(Name(term.source), *map(Const, keys)), []


def _at(value: Cel, *keys: Cel) -> Cel:
    for key in keys:
        value = Apply("_[_]", (value, key))
    return value


def _in_proxy(term: Term, operation: Operation) -> tuple[Cel, list[Cel]]:
    """A term as Envoy finds it, and what has to hold for it to be what the service will find, too."""
    if term.source == "claim":
        metadata = Apply("select", (Name("metadata"), Const("filter_metadata")))
        return _at(metadata, *map(Const, (FILTER, PAYLOAD, *term.name.split(".")))), []
    if term.source == "path":
        index = operation.path.split("/").index(f"{{{term.name}}}")
        segment = Apply("_[_]", (_split(_request("url_path"), "/"), Const(index)))
        return segment, [_same(_size(_split(segment, "%")), 1)]
    if term.source == "query":
        return _parameter(term.name)
    return _constant(term), []


def _parameter(name: str) -> tuple[Cel, list[Cel]]:
    """A query parameter that is there once, however its name is written: some servers take the last, some the first."""
    asked = _request("query")
    whole = Apply("_+_", (Const("&"), asked))
    value = _at(_split(_at(_split(whole, f"&{name}="), Const(1)), "&"), Const(0))
    small = Apply("lowerAscii", (whole,), on=True)
    once = [
        Apply("matches", (asked, Const(PLAIN_QUERY)), on=True),
        _same(_size(_split(small, f"&{name.lower()}=")), 2),
        _same(_size(_split(Apply("_+_", (small, Const("&"))), f"&{name.lower()}&")), 1),
    ]
    return value, once


def _request(attribute: str) -> Cel:
    return Apply("select", (Name("request"), Const(attribute)))


def _split(value: Cel, by: str) -> Cel:
    return Apply("split", (value, Const(by)), on=True)


def _size(value: Cel) -> Cel:
    return Apply("size", (value,))


def _same(value: Cel, count: int) -> Cel:
    return Apply("_==_", (value, Const(count)))


def _syntax(tree: Cel) -> Json:
    """As google.api.expr.v1alpha1.Expr, which Envoy evaluates."""
    if isinstance(tree, Const):
        kind = {str: "string_value", int: "int64_value", float: "double_value"}[type(tree.value)]
        return {"const_expr": {kind: tree.value}}
    if isinstance(tree, Name):
        return {"const_expr": {"null_value": None}} if tree.name == "null" else {"ident_expr": {"name": tree.name}}
    first, *rest = tree.arguments
    if tree.function == "select":
        (field,) = (part.value for part in rest if isinstance(part, Const))
        return {"select_expr": {"operand": _syntax(first), "field": field}}
    arguments = [_syntax(part) for part in (rest if tree.on else tree.arguments)]
    target = {"target": _syntax(first)} if tree.on else {}
    return {"call_expr": {**target, "function": tree.function, "args": arguments}}


def _written(tree: Cel) -> str:
    """As text in the grammar of CEL."""
    if isinstance(tree, Const):
        return json.dumps(tree.value, ensure_ascii=False)
    if isinstance(tree, Name):
        return tree.name
    parts = [_written(part) for part in tree.arguments]
    if tree.function in INFIX:
        return f"({parts[0]} {tree.function.strip('_@')} {parts[1]})"
    return f"{parts[0]}[{parts[1]}]" if tree.function == "_[_]" else f"{tree.function}({', '.join(parts)})"
