"""The laws of hosts, issuers, routes, conditions, limits and contracts: each is one line at its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison import App, Graph, Host, IntentError, Issuer, Rate, Service, claim, data, path, query, render
from garrison.cluster import Cluster, Entrance
from garrison.declare.conditions import Condition
from garrison.derive import mesh, tokens
from garrison.manifest import compact
from garrison.model.calls import ByPath, Operation
from garrison.model.conditions import Comparison, Term, in_proxy
from garrison.model.contracts import MOST
from garrison.words import Ref
from unit.authority import Authority
from unit.estates import DIGEST, IMAGES, apps

IMAGE = "registry.example/s" + DIGEST
FOREIGN = "https://people.example/realm"
CONTRACT = {"openapi": "3.1.0", "paths": {"/orders/{order}": {"get": {}}, "/orders": {"post": {}, "parameters": []}}}


@dataclass
class Program:
    """What a case has at hand: one of everything, lawful."""

    app: App
    orders: Service
    payments: Service
    users: Issuer
    api: Host
    folder: Path

    def issuer(self, url: str = FOREIGN, **said: Any) -> Issuer:
        return self.app.issuer(url, **({"audience": "shop", "jwks": f"{FOREIGN}/keys"} | said))

    def serves(self, operation: str = "GET /new", **said: Any) -> None:
        given: dict[str, Any] = {"at": self.api, "to": self.users.anyone()} | said
        self.orders.serves(operation, **given)

    def documented(self, text: str) -> Service:
        (self.folder / "openapi.json").write_text(text)
        home = self.app.namespace("more")
        return home.service("described", image=IMAGE, port=8080, openapi=self.folder / "openapi.json")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    app = App("estate", trust_domain="estate.example", images=IMAGES)
    shop = app.namespace("shop")
    orders, payments = (shop.service(name, image=IMAGE, port=8080) for name in ("orders", "payments"))
    made = Program(app, orders, payments, app.users(), app.host("api.estate.example"), tmp_path)
    made.serves("GET /orders/{id}", where=claim("customer") == path("id"), rate=Rate.per_minute(30, per="user"))
    made.serves("GET /items", to=None, public="the catalogue is for everybody")
    app.graph()  # the control
    return made


Case = Callable[[Program], object]


def _twice(program: Program) -> None:
    program.app.host("www.estate.example")
    program.app.host("www.estate.example")


def _login_of_a_stranger(program: Program) -> None:
    people = program.issuer(client="c-1", client_secret="login/c", authorize=f"{FOREIGN}/a", token=f"{FOREIGN}/t")
    program.serves(at=program.app.host("www.estate.example", login=people))


def _login_page(program: Program) -> None:
    program.app = App("estate", trust_domain="estate.example", images=IMAGES)
    program.app.users(login="login")


def _alike(program: Program) -> None:
    program.app.host("a-b.example")
    program.app.host("a.b.example")


def _named_like_a_host(program: Program) -> None:
    program.issuer(name="www-example")
    program.app.host("www.example")


def _edge_namespace(name: str) -> Case:
    return lambda program: program.app.namespace(name)


def _comparison(left: Term, comparator: Any, right: Term) -> Case:
    return lambda program: program.serves(where=Condition(((Comparison(left, comparator, right),),)))


def _document(text: str) -> Case:
    return lambda program: program.documented(text)


def _undocumented(program: Program) -> None:
    program.documented(json.dumps(CONTRACT)).serves("GET /orders", at=program.api, to=program.users.anyone())


def _token_and_none(program: Program) -> None:
    program.orders.calls(program.payments, "POST /charges")
    program.orders.calls(program.payments, "POST /refunds", token="forward")


PRIVATE = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
NOISE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def _asked(program: Program, **said: Any) -> Issuer:
    given = {"jwks": "", "introspect": f"{FOREIGN}/asked", "client": "edge", "client_secret": "people/asked"} | said
    return program.issuer(**({"name": "asked"} | given))


def _file(program: Program, text: str) -> Path:
    (program.folder / "ca.pem").write_text(text)
    return program.folder / "ca.pem"


def _leaf(program: Program) -> Path:
    return Authority.fresh().issue(program.folder / "leaf", dns="people.example") / "tls.crt"


def _two_authorities(program: Program) -> None:
    program.issuer()
    _asked(program, ca=Authority.fresh().issue(program.folder / "leaf", dns="people.example") / "ca.pem")


def _opaque_forwarded(program: Program) -> None:
    program.serves(to=_asked(program).anyone())
    program.orders.calls(program.payments, "POST /charges", token="forward")


def _of_another_caller(program: Program) -> None:
    program.payments.calls(program.orders, "GET /things/export")
    program.serves("GET /things/{id}")


BROKEN: dict[str, tuple[Case, str]] = {
    # hosts
    "a host that is none": (lambda p: p.app.host("API.estate.example"), "is not a host name"),
    "a host of one label": (lambda p: p.app.host("api"), "is not a host name"),
    "a host with a port": (lambda p: p.app.host("api.example:443"), "is not a host name"),
    "every host": (lambda p: p.app.host("*.example"), "is not a host name"),
    "a host twice": (_twice, "was declared before"),
    "the issuer's own host": (lambda p: p.app.host("login.estate.example"), "was declared before"),
    "hosts that differ in a dot": (_alike, "differ in '.' and '-' only"),
    "an issuer that is named like a host": (_named_like_a_host, "would be one name for two things"),
    "a login with nobody": (lambda p: p.app.host("www.example", login="user"), "did you mean 'users'?"),  # type: ignore[arg-type]
    "a login without a client": (lambda p: p.app.host("www.example", login=p.issuer()), "has no client for it"),
    "the edge's namespace": (_edge_namespace("edge"), "belongs to the edge"),
    "the users' namespace": (_edge_namespace("users"), "belongs to the edge"),
    # issuers
    "an issuer's name": (lambda p: p.issuer(name="My People"), "is not a name for an issuer"),
    "an issuer twice": (lambda p: p.app.users(login="login2.estate.example"), "was declared before"),
    "a groups claim": (lambda p: p.issuer(groups="a b"), "is not the name of a claim"),
    "a login page's host": (_login_page, "is not a host name"),
    "an issuer without TLS": (lambda p: p.issuer("http://people.example"), "is no https URL"),
    "an issuer with a query": (lambda p: p.issuer("https://people.example/?a=b"), "is no https URL"),
    "keys without TLS": (lambda p: p.issuer(jwks="http://people.example/keys"), "jwks='http://people.example/keys'"),
    "an audience of nobody": (lambda p: p.issuer(audience=""), "names no audience"),
    "half a client": (lambda p: p.issuer(client="c-1"), "not all that a login needs"),
    "a cache of nothing": (lambda p: p.issuer(cache_seconds=3), "has cache_seconds= and no introspect="),
    "asked by nobody": (lambda p: p.issuer(jwks="", introspect=f"{FOREIGN}/asked"), "by nobody it knows"),
    "asked and verified": (lambda p: _asked(p, jwks=f"{FOREIGN}/keys"), "has keys or a login too"),
    "asked without TLS": (lambda p: _asked(p, introspect="http://people.example/a"), "introspect='http://people"),
    "a long cache": (lambda p: _asked(p, cache_seconds=31), "cache_seconds=31"),
    "a cache before it began": (lambda p: _asked(p, cache_seconds=-1), "cache_seconds=-1"),
    "a login with opaque tokens": (lambda p: p.app.host("www.example", login=_asked(p)), "are asked about"),
    "a CA that is no file": (lambda p: p.issuer(ca="/nowhere/ca.pem"), "is not PEM certificates and nothing else"),
    "a CA that is a key": (lambda p: p.issuer(ca=_file(p, PRIVATE)), "is not PEM certificates and nothing else"),
    "a CA that is none": (lambda p: p.issuer(ca=_leaf(p)), "has a certificate in it that is no CA's"),
    "a CA of noise": (lambda p: p.issuer(ca=_file(p, NOISE)), "has something in it that is no certificate"),
    "CAs without end": (lambda p: p.issuer(ca=_file(p, NOISE * 400)), "has more than 16,384 letters"),
    "two CAs for one place": (_two_authorities, "have another ca= for one place, people.example"),
    "an opaque token forwarded": (_opaque_forwarded, "would forward tokens of 'asked', which only the edge can ask"),
    # routes
    "nobody decided": (lambda p: p.serves(to=None), "is served, and not said for whom"),
    "public and for users": (lambda p: p.serves(public="all"), "is public and for users"),
    "a group": (lambda p: p.serves(to=p.users.group("a,b")), "is not the name of a group"),
    "a reason": (lambda p: p.serves(to=None, public="a\nb"), "is no line of text"),
    "a condition on nobody": (
        lambda p: p.serves(to=None, public="all", where=claim("a") == "b"),
        "a condition where nobody says who they are",
    ),
    "an unknown host": (lambda p: p.serves(at="app.estate.example"), "did you mean 'api.estate.example'?"),
    "an unknown issuer": (lambda p: p.serves(to=Issuer("user").anyone()), "did you mean 'users'?"),
    "users of another login": (_login_of_a_stranger, "is for users of 'users' at 'www.estate.example'"),
    "an operation": (lambda p: p.serves("FETCH /x"), "does not begin with an HTTP method"),
    "a path": (lambda p: p.serves("GET /x/*"), "has no valid path template"),
    "one request, two routes": (lambda p: p.serves("GET /orders/new"), "are one request at 'api.estate.example'"),
    "one operation, two audiences": (lambda p: p.serves("GET /items"), "are one request at 'api.estate.example'"),
    "what another caller alone was given": (_of_another_caller, "reaches 'GET /things/export'"),
    # conditions
    "no part of the path": (lambda p: p.serves(where=claim("a") == path("id")), "has no {id}"),
    "a claim's name": (lambda p: p.serves(where=claim("a b") == "c"), "is not the name of a claim"),
    "a parameter's name": (lambda p: p.serves(where=claim("a") == query("b&c")), "is not the name of a query"),
    "a datum's name": (lambda p: p.serves(where=claim("a") == data("b[0]")), "is not the name of a data"),
    "a text": (lambda p: p.serves(where=claim("a") == "x" * 201), "a constant of 201 letters"),
    "a text of two lines": (lambda p: p.serves(where=claim("a") == "x\ny"), "a constant of 3 letters"),
    "a number": (lambda p: p.serves(where=claim("a") == float("inf")), "is not a number"),
    "a source": (_comparison(Term("header", "a"), "==", Term("text", "b")), "header"),  # type: ignore[arg-type]
    "a comparator": (_comparison(Term("claim", "a"), "~", Term("text", "b")), "~"),
    "two constants": (_comparison(Term("text", "a"), "==", Term("text", "b")), "is the same for every request"),
    "a number in a path": (lambda p: p.serves("GET /n/{id}", where=path("id") == 3), "never holds"),
    "an element of no list": (lambda p: p.serves(where=query("a").contains("b")), "is no list"),
    "an empty alternative": (lambda p: p.serves(where=Condition(((),))), "would let everybody in"),
    # limits
    "no request": (lambda p: p.serves(rate=Rate.per_minute(0, per="user")), "a limit of 0 requests"),
    "too many requests": (lambda p: p.serves(rate=Rate.per_minute(10**7, per="user")), "a limit of 10000000 requests"),
    "another time": (lambda p: p.serves(rate=Rate(1, 7, "user")), "a limit in 7 seconds"),
    "another kind": (lambda p: p.serves(rate=Rate(1, 60, "house")), "house"),  # type: ignore[arg-type]
    "the users of a public route": (
        lambda p: p.serves(to=None, public="all", rate=Rate.per_minute(1, per="user")),
        "a limit per user, where nobody says who they are",
    ),
    "two limits alike": (
        lambda p: p.serves(rate=[Rate.per_minute(1, per="all"), Rate.per_minute(2, per="all")]),
        "two limits count the same",
    ),
    # contracts
    "no JSON": (_document("openapi: 3.1.0"), "it is not JSON"),
    "no OpenAPI 3": (_document('{"swagger": "2.0"}'), "it is not of OpenAPI 3"),
    "no paths": (_document('{"openapi": "3.1.0"}'), "it has no `paths`"),
    "too long a document": (_document(" " * (MOST + 1)), "more than 1,000,000"),
    "no document": (
        lambda p: p.app.namespace("more").service("x", image=IMAGE, port=8080, openapi=p.folder / "none"),
        "cannot be used",
    ),
    "not in the document": (_undocumented, "is not in the OpenAPI document of 'more/described'"),
    # tokens
    "a token from nowhere": (
        lambda p: p.payments.calls(p.orders, "GET /x", token="forward"),
        "and is served to no user",
    ),
    "with a token and without": (_token_and_none, "with a token and without"),
    "another way with tokens": (lambda p: p.orders.calls(p.payments, "GET /x", token="exchange"), "exchange"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("case", BROKEN)
def test_each_law_is_one_line_at_its_place(program: Program, case: str) -> None:
    broken, says = BROKEN[case]
    broken(program)
    with pytest.raises(IntentError) as caught:
        program.app.graph()
    (problem,) = caught.value.problems
    file, _, line = problem.where.rpartition(":")
    assert (file.endswith("test_routes.py"), line.isdigit()) == (True, True), problem
    assert says in str(problem)
    assert problem.remedy
    assert "\n" not in str(problem)


def test_a_route_without_a_word_for_whom_is_refused_whatever_else_it_says(program: Program) -> None:
    program.serves("GET /a", to=None, where=claim("a") == "b", rate=Rate.per_minute(1, per="user"))
    with pytest.raises(IntentError, match="not said for whom"):
        program.app.graph()


@pytest.mark.parametrize("joined", [lambda one, two: one and two, lambda one, two: one or two, lambda one, _: not one])
def test_pythons_own_and_or_and_not_would_drop_a_part_and_are_refused(joined: Callable[[Any, Any], Any]) -> None:
    with pytest.raises(TypeError, match="join conditions with & and |"):
        joined(claim("a") == "b", claim("c") == "d")


def test_a_contract_is_about_the_paths_shape(program: Program) -> None:
    """What a parameter is called does not matter."""
    described = program.documented(json.dumps(CONTRACT))
    described.serves("GET /orders/{id}", at=program.api, to=program.users.anyone())
    with pytest.raises(IntentError, match="are one request"):  # as orders serves it there, too
        program.app.graph()


def test_the_same_estate_on_another_port_has_another_name() -> None:
    cluster = Cluster(entrance=Entrance(port=8443))
    graph = App("estate", trust_domain="estate.example", images=IMAGES).graph()
    assert tokens.url(graph, cluster, "api.example") == "https://api.example:8443"
    assert tokens.url(graph, Cluster(), "api.example") == "https://api.example"


# --- which tokens count where ----------------------------------------------------------------------------------------


def test_tokens_count_where_their_routes_are_and_where_they_are_forwarded(program: Program) -> None:
    app, cluster = program.app, Cluster()
    www = app.host("www.estate.example", login=program.users)
    people = program.issuer()
    program.serves("POST /orders", at=www, to=program.users.group("customers"))
    program.serves("POST /offers", to=people.anyone())
    program.orders.calls(program.payments, "POST /charges", token="forward")
    ledger = app.namespace("bank").service("ledger", image=IMAGE, port=8080)
    program.payments.calls(ledger, "POST /entries")
    graph = app.graph()
    names = [one.name for one in tokens.verifiers(graph, cluster)]
    assert names == ["people", "users", "www-estate-example"]
    assert [one.name for one in tokens.at_host(graph, cluster, "www.estate.example")] == ["www-estate-example"]
    assert [one.name for one in tokens.at_host(graph, cluster, "api.estate.example")] == ["people", "users"]
    assert [one.name for one in tokens.at_service(graph, cluster, program.orders.ref)] == names
    assert [one.name for one in tokens.at_service(graph, cluster, program.payments.ref)] == names
    assert tokens.at_service(graph, cluster, ledger.ref) == ()
    by_name = {one.name: one for one in tokens.verifiers(graph, cluster)}
    assert by_name["users"].issuer == "https://login.estate.example/v1/identity/oidc"
    assert by_name["www-estate-example"].issuer.endswith("/v1/identity/oidc/provider/www-estate-example")
    assert (by_name["users"].audiences, by_name["www-estate-example"].audiences) == (("estate",), ())
    assert by_name["people"] == tokens.Verifier("people", FOREIGN, ("shop",), f"{FOREIGN}/keys", "groups")


def test_a_session_of_another_issuer_is_for_its_client(program: Program) -> None:
    people = program.issuer(client="c-1", client_secret="login/c", authorize=f"{FOREIGN}/a", token=f"{FOREIGN}/t")
    program.serves("GET /a", at=program.app.host("www.estate.example", login=people), to=people.anyone())
    program.serves("GET /b", to=people.anyone())
    found = {one.name: one.audiences for one in tokens.verifiers(program.app.graph(), Cluster())}
    assert found == {"users": ("estate",), "people": ("shop",), "www-estate-example": ("c-1",)}


def test_a_callee_gets_the_token_only_where_it_is_forwarded_to(program: Program) -> None:
    ledger = program.app.namespace("bank").service("ledger", image=IMAGE, port=8080)
    program.orders.calls(program.payments, "POST /charges", token="forward")
    program.orders.calls(ledger, "POST /entries")
    program.payments.calls(ledger, "POST /entries")
    graph = program.app.graph()

    def kept(caller: Service, callee: Service) -> bool:
        config = mesh.config(graph, Cluster(), graph.by_ref[caller.ref])["envoy.json"]
        listeners = {one["name"]: one for one in json.loads(config)["static_resources"]["listeners"]}
        return '"request_headers_to_remove":["authorization"]' in compact(listeners[str(callee.ref)])

    assert not kept(program.orders, program.payments)
    assert kept(program.orders, ledger)
    assert not kept(program.payments, ledger), "it has no token: its own header is its own"


# --- random estates --------------------------------------------------------------------------------------------------


@given(apps())
def test_every_route_is_guarded_and_no_other_sidecar_knows_of_the_edge(app: App) -> None:
    graph = app.graph()
    configs = {
        (item["metadata"]["namespace"], item["metadata"]["name"]): item["data"]["envoy.json"]
        for item in render(graph)
        if item["kind"] == "ConfigMap" and "envoy.json" in item.get("data", {})
    }
    edge = '"exact":"spiffe://estate.example/ns/edge/sa/edge"'
    for service in graph.services:
        text = configs[service.namespace, f"{service.name}-proxy"]
        routes = graph.routes_of.get(service.ref, ())
        verified = tokens.at_service(graph, Cluster(), service.ref)
        assert text.count(edge) == len(routes) + bool(verified)
        assert ("jwt_authn.v3" in text) == bool(verified)
        assert all(any(route.issuer for route in routes) or one for one in verified)
        for route in routes:
            assert f'"edge/edge {route.operation} at {route.host}"' in text


@given(apps())
def test_ways_from_and_to_the_edge_are_open_for_those_who_need_them(app: App) -> None:
    graph = app.graph()
    policies = {
        (m["metadata"]["namespace"], m["metadata"]["name"]): m["spec"]
        for m in render(graph)
        if m["kind"] == "NetworkPolicy"
    }
    for service in graph.services:
        spec = policies[service.namespace, service.name]
        edge = '"kubernetes.io/metadata.name":"edge"'
        assert compact(spec["ingress"]).count(edge) == (service.ref in graph.routes_of)
        assert compact(spec["egress"]).count(edge) == bool(tokens.at_service(graph, Cluster(), service.ref))


@given(apps())
def test_a_service_decides_exactly_the_operations_of_which_a_route_asks_for_its_data(app: App) -> None:
    graph = app.graph()
    for item in render(graph):
        ref = Ref(item["metadata"].get("namespace", ""), item["metadata"]["name"])
        if item["kind"] == "Deployment" and ref in graph.by_ref:
            env = item["spec"]["template"]["spec"]["containers"][0]["env"]
            given: dict[str, str] = next((json.loads(one["value"]) for one in env if one["name"] == "ACCESS_RULES"), {})
            routes = graph.routes_of.get(ref, ())
            assert set(given) == {str(route.operation) for route in routes if not in_proxy(route.where)}
            assert all(cel.compile(text) for text in given.values())


@given(apps())
def test_graphs_with_an_edge_come_back_from_their_json(app: App) -> None:
    graph = app.graph()
    again = Graph.from_json(graph.to_json())
    assert again == graph
    assert again.to_json() == graph.to_json()


# --- many routes -----------------------------------------------------------------------------------------------------

SEGMENTS = st.sampled_from(["{a}", "{b}", "a", "b", ""])
TEMPLATES = st.lists(SEGMENTS, min_size=1, max_size=3).map(lambda parts: Operation("GET", "/" + "/".join(parts)))


@given(st.lists(TEMPLATES, unique=True, max_size=12), TEMPLATES)
def test_what_meets_an_operation_is_found_without_asking_each(known: list[Operation], one: Operation) -> None:
    paths = ByPath()
    for operation in known:
        paths.add(operation)
    assert sorted(paths.meeting(one)) == sorted(other for other in known if other.meets(one))


@given(apps())
def test_whose_tokens_reach_a_service_is_what_a_walk_back_along_its_callers_finds(app: App) -> None:
    graph = app.graph()
    for service in graph.services:
        reached = {service.ref}
        while more := {c.caller for c in graph.calls if c.token == "forward" and c.callee in reached} - reached:
            reached |= more
        routes = [route for route in graph.routes if route.service in reached and route.issuer]
        kinds = {(r.issuer, r.host if graph.host_by_name[r.host].login else "") for r in routes}
        assert graph.tokens_at.get(service.ref, frozenset()) == kinds
        assert len(tokens.at_service(graph, Cluster(), service.ref)) == len(kinds)
