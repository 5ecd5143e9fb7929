"""What the edge, and each sidecar behind it, must let pass and must refuse: computed from the graph alone.

For every route at every host first a well-formed request, which has to pass; then the same request with one thing
wrong. What is tried last is over a limit, so that nothing else is counted out by it.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from garrison import defaults as d
from garrison.defaults import METHODS
from garrison.derive.tokens import is_opaque
from garrison.model.conditions import in_proxy
from garrison.model.graph import Graph, Host, Operation, Route
from garrison.prove.expect.calls import impostor
from garrison.prove.expect.contract import Contract
from garrison.prove.expect.fits import claims_for, filled, nested, proxied
from garrison.prove.expect.samples import ELSEWHERE, sample
from garrison.prove.expect.schemas import NoSampleError
from garrison.prove.model import EDGE, NETWORK, Connect, Kind, Layer, Party, Probe, Request
from garrison.prove.trials import STATUSES, TO_LOGIN, UNAUTHORIZED, Carry, Claim, Fit, Shape, Trial, Try, Want
from garrison.words import Ref

TOKENS: Final = (  # tokens with one thing wrong
    Try.MALFORMED,
    Try.EXPIRED,
    Try.NOT_YET,
    Try.WRONG_ISSUER,
    Try.FOREIGN_ISSUER,
    Try.WRONG_AUDIENCE,
    Try.FOREIGN_KEY,
    Try.NO_ALGORITHM,
    Try.PUBLIC_KEY_AS_SECRET,
    Try.UNKNOWN_KEY,
    Try.EMBEDDED_KEY,
    Try.KEY_BY_URL,
    Try.REMOVED_KEY,
    Try.NO_EXPIRY,
)
OPAQUE: Final = (Try.MALFORMED, Try.TAKEN_BACK)  # those of an issuer that is asked about them
WAYS: Final[dict[Try, Carry]] = {  # a good token, brought in a way that does not count
    Try.TWO_AUTHORIZATIONS: "twice",
    Try.BASIC_THEN_BEARER: "basic",
    Try.IN_QUERY: "query",
    Try.IN_COOKIE: "cookie",
}
REFUSED: Final = frozenset({401, 403})  # where two rules refuse, and either may come first
EITHER: Final = (Try.BASIC_THEN_BEARER, Try.WRONG_AUDIENCE)
BODY_BYTES: Final = d.EDGE_BODY_BYTES + 1
HEADER_BYTES: Final = d.EDGE_HEADERS_KIB * 2**10 + 1
LIMIT_MOST: Final = 300  # requests that one trial of a limit may make
SELF: Final = "self"  # this very host, in a header
LIMIT_PERSON: Final = "limit"
FALSE_COOKIES: Final = tuple(
    (name, "Z2Fycmlzb24tcHJvYmU") for name in ("BearerToken", "IdToken", "OauthHMAC", "OauthExpires", "RefreshToken")
)


def trials(graph: Graph) -> tuple[Trial, ...]:
    """Everything that is tried at the edge, in the order in which it is tried."""
    found = [trial for host in graph.hosts for trial in _at_host(graph, host)]
    first = [trial for trial in found if trial.kind == Try.WELL_FORMED]
    last = [trial for trial in found if trial.kind == Try.LIMIT]
    return (*first, *(trial for trial in found if trial.kind not in (Try.WELL_FORMED, Try.LIMIT)), *last)


def behind(graph: Graph) -> tuple[Trial, ...]:
    """The same tokens, straight at each sidecar behind the edge, by whoever has the edge's own identity."""
    found = (
        trial for host in graph.hosts for route in graph.routes_at.get(host.name, ()) for trial in _behind(graph, route)
    )
    return tuple({(t.service, t.kind, t.want, t.shape): t for t in found}.values())


def around(graph: Graph) -> tuple[Probe, ...]:
    """From the edge's place in the network: what it serves only with its identity, and all else not at all."""
    found: list[Probe] = []
    deepest = 1 + max((len(route.operation.segments) for route in graph.routes), default=0)
    for service in graph.services:
        target = Party("service", service.namespace, service.name)
        if service.ref not in graph.routes_of:
            found.append(Probe(EDGE, target, d.MTLS_PORT, Kind.UNDECLARED_DESTINATION, Connect(), NETWORK))
            continue
        served = graph.routes_of[service.ref][0].operation
        beside = Operation(served.method, f"/{ELSEWHERE}" * deepest)
        ways: list[tuple[Kind, Request, Layer]] = [
            (Kind.NO_CERTIFICATE, Request(sample(served)), "identity"),
            (Kind.PLAINTEXT, Request(sample(served), tls=False), "identity"),
            (Kind.OLD_TLS, Request(sample(served), credential="own", tls12=True), "identity"),
            (Kind.UNDECLARED, Request(beside, credential="own"), "authorization"),
        ]
        found += [
            Probe(EDGE, target, d.MTLS_PORT, kind, request, frozenset({layer}), operation=str(request.operation))
            for kind, request, layer in ways
        ]
        found.append(Probe(EDGE, target, service.port, Kind.APPLICATION_PORT, Connect(), NETWORK))
    return tuple(found)


def _at_host(graph: Graph, host: Host) -> Iterator[Trial]:
    routes = graph.routes_at.get(host.name, ())
    for route in routes:
        base = _well_formed(graph, host, route)
        yield base
        if route.issuer:
            yield from _session(graph, host, base) if host.login else _tokens(graph, base)
            yield from _rights(graph, host, base)
        yield from _contents(graph, base)
        yield from _nearby(routes, base)
        yield from _limits(host, base)
    if routes:
        yield from _listener(_well_formed(graph, host, routes[0]))


def _well_formed(graph: Graph, host: Host, route: Route) -> Trial:
    contract = Contract.of(graph.by_ref[route.service], route.operation)
    try:
        shape = contract.good()
    except NoSampleError:
        shape = Shape(route.operation.method, route.operation.path)
    if host.login:  # what a browser says of itself, which the rule against CSRF asks for
        shape = shape.but(headers=(*shape.headers, ("origin", SELF)))
    if not route.issuer:
        return Trial(route, Try.WELL_FORMED, shape)
    carry: Carry = "session" if host.login else "bearer"
    fit: Fit = "holds" if proxied(route.where) else "free"
    return Trial(route, Try.WELL_FORMED, shape.but(carry=carry, fit=fit), _want(graph, route, shape))


def _want(graph: Graph, route: Route, shape: Shape) -> Want:
    """Whose token it takes: in the group, with the claims that the condition asks for."""
    claims = dict(claims_for(proxied(route.where), dict(shape.variables)))
    listed: Claim = claims.pop(graph.issuer_by_name[route.issuer].groups, ())
    groups = dict.fromkeys((*([route.group] if route.group else []), *(listed if isinstance(listed, tuple) else ())))
    where = proxied(route.where)
    fit: Fit = "holds" if where else "free"
    return Want(route.issuer, route.host, tuple(groups), tuple(claims.items()), where=where, fit=fit)


def _wrong(base: Trial, kind: Try, statuses: Iterable[int] = (), detail: str = "", **changes: object) -> Trial:
    """The well-formed request with one thing wrong."""
    expected = frozenset(statuses) or STATUSES.get(kind, UNAUTHORIZED)
    return replace(base, kind=kind, statuses=expected, detail=detail, **changes)  # type: ignore[arg-type]


def _tokens(graph: Graph, base: Trial) -> Iterator[Trial]:
    assert base.want
    yield _wrong(base, Try.NO_TOKEN, want=None, shape=base.shape.but(carry="none", fit="free"))
    opaque = is_opaque(graph, base.route)
    for kind in OPAQUE if opaque else TOKENS:
        yield _wrong(base, kind, REFUSED if kind in EITHER else (), want=replace(base.want, flaw=kind))
    for kind, carry in WAYS.items():
        yield _wrong(base, kind, REFUSED if kind in EITHER else (), shape=base.shape.but(carry=carry))
    if opaque:  # another host's session holds a token with a signature: this issuer may answer to it as it likes
        return
    for other in graph.hosts:
        if other.login:
            theirs = Want(other.login, other.name, base.want.groups)
            shape = base.shape.but(carry="session", fit="free")
            yield _wrong(base, Try.OTHER_HOST, detail=other.name, want=theirs, shape=shape)


def _session(graph: Graph, host: Host, base: Trial) -> Iterator[Trial]:
    """Where browsers log in a token counts for nothing, and neither does a session that was not given here."""
    assert base.want
    yield _wrong(base, Try.NO_SESSION, TO_LOGIN, want=None, shape=base.shape.but(carry="none", fit="free"))
    cookies = "; ".join(f"{name}={value}" for name, value in FALSE_COOKIES)
    false = base.shape.but(carry="none", fit="free", headers=(*base.shape.headers, ("cookie", cookies)))
    yield _wrong(base, Try.FALSE_SESSION, TO_LOGIN, want=None, shape=false)
    for other in graph.hosts:
        theirs = Want(base.want.issuer, other.name, base.want.groups, base.want.claims)
        if other.login == host.login and other != host:
            shape = base.shape.but(fit="free")
            yield _wrong(base, Try.OTHER_HOST, TO_LOGIN, other.name, want=theirs, shape=shape)
        elif not other.login:
            shape = base.shape.but(carry="bearer", fit="free")
            yield _wrong(base, Try.OTHER_HOST, TO_LOGIN, other.name, want=theirs, shape=shape)


def _rights(graph: Graph, host: Host, base: Trial) -> Iterator[Trial]:
    """Somebody whom the issuer knows, and who may not."""
    assert base.want
    group, condition = base.route.group, base.shape.fit == "holds"
    if group:
        others = tuple(name for name in base.want.groups if name != group)
        yield _wrong(base, Try.NO_GROUP, want=replace(base.want, groups=others, without=group))
        if not host.login and not is_opaque(graph, base.route):
            yield _wrong(base, Try.SCOPE_FOR_GROUP, want=replace(base.want, groups=others, scope=group, without=group))
    if condition:
        mine = replace(base.want, groups=(group,) if group else (), claims=(), fit="fails")
        yield _wrong(base, Try.WRONG_CLAIM, detail="without the claim", want=mine, shape=base.shape.but(fit="fails"))
        if any(term.source in ("path", "query") for all_of in base.where for one in all_of for term in one.terms):
            theirs = replace(base.want, fit="fails")
            yield _wrong(base, Try.WRONG_CLAIM, detail="another's", want=theirs, shape=base.shape.but(fit="fails"))


def _contents(graph: Graph, base: Trial) -> Iterator[Trial]:
    """What is in the request: its size, and what the service's document says of it."""
    if base.route.operation.method in ("POST", "PUT", "PATCH"):
        yield _wrong(base, Try.OVERSIZE, shape=base.shape.but(body=b" " * BODY_BYTES))
    long = base.shape.but(headers=(*base.shape.headers, ("x-garrison-probe", "a" * HEADER_BYTES)))
    yield _wrong(base, Try.LONG_HEADER, shape=long)
    try:
        wrong = [*Contract.of(graph.by_ref[base.service], base.route.operation).wrong()]
    except NoSampleError:
        return
    for kind, detail, shape in wrong:
        same = base.shape.but(variables=shape.variables, query=shape.query, body=shape.body)
        own = [pair for pair in base.shape.headers if pair[0] == "origin"]
        yield _wrong(base, kind, detail=detail, shape=same.but(headers=(*shape.headers, *own)))


def _nearby(routes: Iterable[Route], base: Trial) -> Iterator[Trial]:
    """Next to the route: a path and a method that nobody declared at this host."""
    concrete = Operation(base.shape.method, filled(base.shape.path, dict(base.shape.variables)))
    declared = [route.operation for route in routes]
    beside = f"{concrete.path.rstrip('/')}/{ELSEWHERE}"
    if not any(_covers(operation, method, beside) for operation in declared for method in METHODS):
        shape = base.shape.but(path=beside, fit="free")
        yield _wrong(base, Try.UNDECLARED_PATH, shape=shape)
    for method in reversed(METHODS):
        if method != "OPTIONS" and not any(_covers(operation, method, concrete.path) for operation in declared):
            yield _wrong(base, Try.UNDECLARED_METHOD, detail=method, shape=base.shape.but(method=method, fit="free"))
            return


def _covers(operation: Operation, method: str, path: str) -> bool:
    return operation.covers(Operation(method, path))


def _limits(host: Host, base: Trial) -> Iterator[Trial]:
    """One more than a limit admits. The person is somebody of whom nothing was counted yet."""
    for rate in base.route.rates:
        want = base.want and replace(
            base.want, person=f"{LIMIT_PERSON} {rate.seconds} {base.route.operation} {host.name}"
        )
        yield _wrong(base, Try.LIMIT, detail=str(rate), want=want, rate=rate)


def _listener(base: Trial) -> Iterator[Trial]:
    """What the listener itself refuses, for any route."""
    nobodys = f"garrison-probe.{base.host.partition('.')[2]}"
    yield _wrong(base, Try.OTHER_NAME, shape=base.shape.but(host=nobodys))
    yield _wrong(base, Try.NO_SUCH_NAME, shape=base.shape.but(server_name=nobodys))
    yield _wrong(base, Try.PLAIN_HTTP, shape=base.shape.but(tls="none"))
    yield _wrong(base, Try.OLD_TLS, shape=base.shape.but(tls="1.2"))


def _behind(graph: Graph, route: Route) -> Iterator[Trial]:
    """At a sidecar, which knows no session: the edge brings the token out of it."""
    host = next(host for host in graph.hosts if host.name == route.host)
    if is_opaque(graph, route):
        yield from _behind_opaque(graph, host, route)
        return
    base = replace(_well_formed(graph, host, route), place="sidecar")
    headers = tuple(pair for pair in base.shape.headers if pair[0] != "origin")
    base = replace(base, shape=base.shape.but(headers=headers, carry="bearer" if route.issuer else "none"))
    if host.login and route.issuer:  # the token is inside the session, and never outside
        return
    yield base
    if route.issuer and impostor(graph, route.service, d.EDGE):
        yield _wrong(base, Try.NO_KEYS, place="misled")
    if route.issuer:
        for trial in (*_tokens(graph, base), *_rights(graph, host, base)):
            if trial.shape.carry != "session":  # which a sidecar does not know
                statuses = trial.statuses if trial.kind in TOKENS else trial.statuses | REFUSED
                yield replace(trial, statuses=statuses)


def _behind_opaque(graph: Graph, host: Host, route: Route) -> Iterator[Trial]:
    """Nobody could verify the token there: what the edge says of it, with its identity, is all that a sidecar knows."""
    well = _well_formed(graph, host, route)
    if not well.want or not in_proxy(route.where):  # of what the service decides there is no telling
        return
    issuer = graph.issuer_by_name[route.issuer]
    said = {"iss": issuer.url, "aud": issuer.audience, "sub": "garrison-probe", **claims_of(well.want, issuer.groups)}
    told = (d.ASKED_CLAIMS, urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("="))
    bare = well.shape.but(carry="none", fit="free")
    base = replace(well, place="sidecar", want=None, shape=bare.but(headers=(*bare.headers, told)))
    yield base
    yield _wrong(base, Try.NO_TOKEN, REFUSED, shape=bare)


def bearers(graph: Graph) -> dict[Ref, Want]:
    """Whose token a caller that forwards one has: that of somebody whom it, or who calls it with one, serves."""
    logins = {host.name for host in graph.hosts if host.login}
    found = {
        route.service: _want(graph, route, Shape(route.operation.method, route.operation.path))
        for route in reversed(graph.routes)
        if route.issuer and route.host not in logins
    }
    forwarding = [call for call in graph.calls if call.forwards]
    while more := {c.callee: found[c.caller] for c in forwarding if c.caller in found and c.callee not in found}:
        found |= more
    return found


def claims_of(want: Want, groups_claim: str) -> dict[str, object]:
    """What a token has to say beside who it is."""
    said: dict[str, object] = nested([*want.claims, (groups_claim, want.groups)])
    return said | ({"scope": want.scope} if want.scope else {})
