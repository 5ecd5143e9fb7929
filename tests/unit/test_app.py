"""Authoring: order never matters, everything wrong is said at once, and the frozen graph survives JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

import garrison
from garrison import App, Graph, IntentError
from garrison.declare.statements import verb
from unit.estates import DIGEST, apps, empty_app, shop_app


def problems(app: App) -> str:
    with pytest.raises(IntentError) as caught:
        app.graph()
    return str(caught.value)


@given(apps())
def test_order_of_statements_never_matters(app: App) -> None:
    graph = app.graph()
    shuffled = empty_app()
    for statement in random.Random(7).sample(app.statements, len(app.statements)):
        shuffled.add(statement)
    assert shuffled.graph() == graph
    assert shuffled.graph().to_json() == graph.to_json()


@given(apps())
def test_json_there_and_back(app: App) -> None:
    graph = app.graph()
    assert Graph.from_json(graph.to_json()) == graph


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "not of schema"),
        ('{"schema": "other"}', "not of schema"),
        ('{"schema": "garrison.dev/graph/v1", "extra": 1}', "there is no 'extra'"),
    ],
)
def test_a_foreign_graph_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Graph.from_json(text)


def test_a_graph_with_a_wrong_row_is_refused(graph: Graph) -> None:
    data = json.loads(graph.to_json())
    del data["calls"][0]["caller"]["name"]
    with pytest.raises(ValueError, match="does not fit"):
        Graph.from_json(json.dumps(data))


def test_saying_more_about_a_pair_adds_to_it() -> None:
    app = shop_app()
    graph = app.graph()
    call = next(c for c in graph.calls if c.callee.name == "catalog")
    assert [str(operation) for operation in call.operations] == ["GET /items", "GET /items/{id}"]


def test_names_may_be_used_before_they_are_declared() -> None:
    app = empty_app()
    shop = app.namespace("shop")
    orders = shop.service("orders", image="o" + DIGEST, port=8080)
    orders.calls("catalog", "GET /items/{id}")
    orders.calls("bank/payments", "POST /charges")
    shop.service("catalog", image="c" + DIGEST, port=8080)
    app.namespace("bank").service("payments", image="p" + DIGEST, port=8080)
    assert [str(call.callee) for call in app.graph().calls] == ["bank/payments", "shop/catalog"]


def test_all_problems_come_at_once_with_place_and_remedy() -> None:
    app = App("estate", trust_domain="Estate Example", images={})
    shop = app.namespace("shop")
    orders = shop.service("orders", image="orders:latest", port=8443)
    orders.calls("ordrs", "GET /items/{id}")
    orders.calls(orders, "FETCH items")
    text = problems(app)
    for part in (
        "not a SPIFFE trust domain",
        "no pinned image for 'envoy'",
        "not pinned by digest: 'orders:latest'",
        "cannot listen on port 8443",
        "did you mean 'orders'?",
        "calls itself",
        "does not begin with an HTTP method",
    ):
        assert part in text
    assert "test_app.py:" in text
    assert "9 problems" in text


@pytest.mark.parametrize(
    ("operation", "says"),
    [
        ("GET", "no valid path"),
        ("GET items", "no valid path"),
        ("GET /items/*", "no valid path"),
        ("GET /items?x=1", "no valid path"),
        ("GET /items//x", "no valid path"),
        ("GET /{rest...}/x", "no valid path"),
        ("GET /x{rest...}", "no valid path"),
        ("GET /items/{id}/{id}", "twice"),
        ("GET /items/..", "relative"),
        ("get /items", "did you mean 'GET'?"),
        ("* /items", "HTTP method"),
        ("GET /items/{id}.*", "no valid path"),
    ],
)
def test_an_operation_is_a_method_and_a_path_template(operation: str, says: str) -> None:
    app = shop_app()
    orders = app.namespace("more").service("more", image="m" + DIGEST, port=8080)
    assert len(app.graph().services) == 5, "the control: without the call it is fine"
    orders.calls("shop/catalog", operation)
    assert says in problems(app)


SAID_WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "misspelt": (
        lambda shop: shop.service("x", imge="x" + DIGEST, port=8080),
        "service(...) takes no 'imge'; did you mean 'image'?",
    ),
    "missing": (
        lambda shop: shop.service("x"),
        "service(...) lacks image; it takes name, image, port, protocol, health, liveness, startup_seconds, env, "
        "command, args, files, scratch, volumes, uid, bind, replicas, resources, openapi",
    ),
    "too much": (
        lambda shop: shop.postgres("x", "y"),
        "postgres(...): too many positional arguments; it takes name, image, storage, lease_seconds, schema",
    ),
    "nothing like it": (
        lambda shop: shop.service("x", image="x" + DIGEST, port=1).uses("y", rights="all"),
        "uses(...) takes no 'rights'; it takes database, role, env, files",
    ),
    "App": (
        lambda _: App("estate", images={}),  # type: ignore[call-arg]
        "App(...) lacks trust_domain; it takes name, trust_domain, images",
    ),
    "serves": (
        lambda shop: shop.service("x", image="x" + DIGEST, port=1).serves("GET /x"),
        "serves(...) lacks at; it takes operation, at, to, public, where, rate",
    ),
    "calls": (
        lambda shop: shop.service("x", image="x" + DIGEST, port=1).calls(),
        "calls(...) lacks callee; it takes callee, operations, token, env, alias, timeout",
    ),
}


@pytest.mark.parametrize("case", SAID_WRONG)
def test_arguments_that_do_not_fit_are_said_like_every_other_problem(case: str) -> None:
    say, what = SAID_WRONG[case]
    shop = empty_app().namespace("shop")
    line = say.__code__.co_firstlineno
    with pytest.raises(IntentError) as caught:
        say(shop)
    (problem,) = caught.value.problems
    file, _, number = problem.where.partition(":")
    assert (Path(file).name, line <= int(number) <= line + 1) == ("test_app.py", True)
    assert f"{problem.what}; {problem.remedy}" == what


def test_a_type_error_of_another_making_stays_what_it_is() -> None:
    def odd() -> None:
        raise TypeError("mine")

    with pytest.raises(TypeError, match="mine"):
        verb(odd)()


@pytest.mark.parametrize("path", ["", "/psp", "psp/", "psp/*", "../root", "psp/+/key", "PSP"])
def test_a_secret_path_is_exact(path: str) -> None:
    app = shop_app()
    app.namespace("more").service("more", image="m" + DIGEST, port=8080).reads(path)
    assert "not a path in the secret store" in problems(app)


@pytest.mark.parametrize("name", ["kube-system", "openbao", "default", "kube-anything", "Shop", "a_b", "x" * 64, ""])
def test_namespaces_are_names_and_not_the_platforms(name: str) -> None:
    app = shop_app()
    app.namespace(name)
    assert repr(name) in problems(app)


def test_the_same_name_twice_is_refused() -> None:
    app = shop_app()
    shop = app.namespace("shop")
    shop.service("orders", image="o" + DIGEST, port=8080)
    shop.postgres("catalog", lease_seconds=7200)
    text = problems(app)
    assert "namespace 'shop' was declared before" in text
    assert "'shop/orders' was declared before" in text
    assert "'shop/catalog' was declared before" in text
    assert "lease credentials for 7200 s" in text


def test_public_names() -> None:
    assert sorted(garrison.__all__) == garrison.__all__
    assert {"App", "render", "deploy", "IntentError"} <= set(garrison.__all__)
    assert all(getattr(garrison, name) is not None for name in garrison.__all__)


def test_an_app_of_one_namespace() -> None:
    app = empty_app()
    app.service("web", image="w" + DIGEST, port=8080).calls("api", "GET /x")
    app.service("api", image="a" + DIGEST, port=8080)
    assert app.graph().namespaces == ("estate",)
