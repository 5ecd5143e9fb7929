"""A change in words: one added operation is one line, whatever it does to the objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from garrison import App, Rate
from garrison.cli import main
from garrison.cluster import Cluster
from garrison.explain.allowed import allowed
from garrison.explain.changes import Changes, as_table, changes, words
from garrison.model.graph import Graph
from unit.estates import apps, shop_app

HERE = Cluster()
DIGESTED = "registry.example/kiosk@sha256:" + "0" * 64


def between(old: Graph, new: Graph) -> Changes:
    return changes(old, new, before=HERE, after=HERE)


def test_one_added_operation_is_one_line() -> None:
    app = shop_app()
    old, orders = app.graph(), next(s for s in app.graph().services if s.name == "orders")
    call = next(c for c in old.calls if c.caller == orders.ref)
    more = replace(call, operations=(*call.operations, replace(call.operations[0], method="DELETE")))
    new = replace(old, calls=tuple(more if c == call else c for c in old.calls))
    found = between(old, new)
    assert list(words(found)) == [f"+ {call.caller} may {more.operations[-1]} at {call.callee}"]
    assert {item.change for item in found.objects} == {"update"}
    assert list(words(between(new, old))) == [f"- {call.caller} may {more.operations[-1]} at {call.callee}"]


@given(apps())
def test_nothing_changes_between_equals_and_everything_is_said_of_a_new_one(app: App) -> None:
    graph = app.graph()
    assert not between(graph, graph)
    empty = Graph(name=graph.name, trust_domain=graph.trust_domain, images=graph.images)
    assert set(between(empty, graph).gained) == {str(item) for item in allowed(graph)}
    assert set(between(graph, empty).lost) == {str(item) for item in allowed(graph)}


SAID: dict[str, tuple[Callable[[Graph], Graph], str]] = {
    "replicas": (lambda g: replace(g, services=(replace(g.services[0], replicas=9), *g.services[1:])), "replicas"),
    "a service goes": (lambda g: replace(g, services=g.services[1:]), "- service"),
    "trust domain": (
        lambda g: replace(g, trust_domain="other.example"),
        "trust domain estate.example -> other.example",
    ),
    "a namespace": (lambda g: replace(g, namespaces=(*g.namespaces, "zoo")), "+ namespace zoo"),
    "a lease": (lambda g: replace(g, databases=tuple(replace(d, lease_seconds=61) for d in g.databases)), "-> 61"),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_differently_is_named(name: str) -> None:
    change, text = SAID[name]
    graph = shop_app().graph()
    assert any(text in line for line in between(graph, change(graph)).declared)


def test_a_change_of_the_cluster_is_one_of_the_objects_too() -> None:
    graph = shop_app().graph()
    found = changes(graph, graph, before=HERE, after=Cluster(issuer="corporate"))
    assert found.declared == ("~ cluster: issuer garrison -> corporate",)
    assert {item.kind for item in found.objects} == {"Certificate"}
    assert not (found.gained or found.lost)


def test_the_command_reads_programs_graphs_and_stacks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = shop_app().graph()
    new = replace(graph, calls=graph.calls[1:])
    plain, stack, outputs = (tmp_path / f"{name}.json" for name in ("graph", "stack", "outputs"))
    plain.write_text(graph.to_json())
    registered = {"graph": json.loads(new.to_json()), "cluster": json.loads(HERE.to_json())}
    outputs.write_text(json.dumps(registered))
    stack.write_text(
        json.dumps({"deployment": {"resources": [{"type": "garrison:index:Estate", "outputs": registered}]}})
    )
    for side in (stack, outputs):
        assert main(["changes", str(plain), str(side)]) == 0
        assert capsys.readouterr().out == as_table(between(graph, new))
    assert main(["changes", str(plain), str(plain)]) == 0
    assert capsys.readouterr().out == "Nothing changes.\n"
    assert main(["changes", str(plain), str(stack), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["lost"] == list(between(graph, new).lost)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"deployment": {"resources": []}}', '{"graph": 7}'])
def test_what_tells_of_no_estate_is_one_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    assert main(["changes", str(file), str(file)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_is_open_to_users_is_told_with_group_host_and_limit() -> None:
    def estate(group: str, requests: int) -> Graph:
        app = shop_app()
        orders = app.namespace("kiosk").service("kiosk", image=DIGESTED, port=8080)
        users, api = app.users(), app.host("api.estate.example")
        rate = Rate.per_minute(requests, per="user")
        orders.serves("POST /orders", at=api, to=users.group(group), rate=rate)
        return app.graph()

    before, after = estate("customers", 30), estate("everybody", 30)
    assert list(words(between(before, after))) == [
        "+ group everybody of users may POST /orders at kiosk/kiosk through api.estate.example, "
        "30 a minute for each user",
        "- group customers of users may POST /orders at kiosk/kiosk through api.estate.example, "
        "30 a minute for each user",
    ]
    assert any("40 a minute" in line for line in words(between(before, estate("customers", 40))))
    closed = replace(before, routes=(), hosts=(), issuers=())
    assert "+ host api.estate.example" in list(words(between(closed, before)))


def test_one_more_route_group_or_limit_is_one_line() -> None:
    def estate(*said: str) -> Graph:
        app = shop_app()
        kiosk = app.namespace("kiosk").service("kiosk", image=DIGESTED, port=8080)
        users, api = app.users(), app.host("api.estate.example")
        kiosk.serves("GET /items", at=api, public="for everybody")
        rates = [Rate.per_minute(30, per="user")] if "limit" in said else []
        group = users.group("staff" if "group" in said else "customers")
        kiosk.serves("POST /orders", at=api, to=group, rate=rates)
        if "route" in said:
            kiosk.serves("GET /news", at=api, public="for everybody")
        return app.graph()

    def gained(*said: str) -> list[str]:
        return list(between(estate(), estate(*said)).gained)

    assert gained("route") == ["anybody may GET /news at kiosk/kiosk through api.estate.example"]
    assert gained("group") == ["group staff of users may POST /orders at kiosk/kiosk through api.estate.example"]
    limited = between(estate(), estate("limit"))
    sentence = "group customers of users may POST /orders at kiosk/kiosk through api.estate.example"
    assert (limited.gained, limited.lost) == ((f"{sentence}, 30 a minute for each user",), (sentence,))
