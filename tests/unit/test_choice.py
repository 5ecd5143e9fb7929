"""`--of`, `--to` and `--depth`: what is left is what can be walked, in every format, and a wrong name is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from garrison import App, cli
from garrison.explain import diagram
from garrison.explain.choice import WAYS, Choice, ChoiceError, chosen
from garrison.explain.links import links, nodes
from garrison.model.parts import Parts
from unit.estates import apps, shop_app
from unit.tickets import tickets


def ways(parts: Parts) -> set[tuple[str, str]]:
    return {way(row) for name, way in WAYS.items() for row in getattr(parts, name)}


def walked(pairs: set[tuple[str, str]], start: str, depth: int) -> set[tuple[str, str]]:
    """By plain walking: every pair that begins fewer than `depth` steps from the start."""
    near, found = {start}, set()
    for _ in range(depth):
        step = {pair for pair in pairs if pair[0] in near}
        found |= step
        near = {end for _, end in step}
    return found


@given(apps(), st.data())
def test_what_is_left_is_what_can_be_walked(app: App, drawn: st.DataObject) -> None:
    graph = app.graph()
    service = drawn.draw(st.sampled_from(graph.services))
    depth = drawn.draw(st.sampled_from([1, 2, 3, None]))
    pairs, name = ways(graph), str(service.ref)
    assert ways(chosen(graph, Choice(of=name, depth=depth))) == walked(pairs, name, depth or len(pairs) + 1)
    back = walked({(end, start) for start, end in pairs}, name, depth or len(pairs) + 1)
    found = chosen(graph, Choice(to=name, depth=depth))
    assert ways(found) == {(end, start) for start, end in back}
    keys = {node.key for node in nodes(found)}
    assert all({link.start, link.end} <= keys for link in links(found)), "a line leads nowhere"
    assert name in keys, "who was asked about is there, alone if need be"


def test_of_and_to_together_are_the_ways_between() -> None:
    found = chosen(tickets().graph(), Choice(of="rebook", to="travel-mongo"))
    assert {"orders/rebook", "travel/travel", "travel/seat", "travel/travel-mongo"} <= {n.key for n in nodes(found)}
    assert not {"orders/order", "front/gateway"} & {node.key for node in nodes(found)}
    near = chosen(tickets().graph(), Choice(of="rebook", to="travel-mongo", depth=2))
    assert ways(near) == {("orders/rebook", "travel/travel"), ("travel/travel", "travel/travel-mongo")}


def test_nothing_chosen_is_everything() -> None:
    graph = shop_app().graph()
    assert chosen(graph, Choice()) is graph and str(Choice()) == ""


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        (Choice(of="orders"), "what orders reaches"),
        (Choice(to="ledger", depth=1), "what reaches ledger in 1 step"),
        (Choice(of="orders", to="ledger", depth=2), "how orders reaches ledger in 2 steps"),
    ],
)
def test_a_choice_in_words(choice: Choice, words: str) -> None:
    assert str(choice) == words


@pytest.mark.parametrize("name", ["www.tickets.example", "edge"])
def test_a_host_and_the_edge_reach_what_they_serve(name: str) -> None:
    found = chosen(tickets().graph(), Choice(of=name, depth=2))
    assert {("Host www.tickets.example", "front/gateway"), ("front/gateway", "orders/order")} <= ways(found)
    assert "www.tickets.example" in diagram.table(found)


@pytest.mark.parametrize(
    ("name", "key"), [("psp/api-key", "Secret psp/api-key"), ("ledger", "bank/ledger"), ("bank/ledger", "bank/ledger")]
)
def test_secrets_and_databases_are_reached(name: str, key: str) -> None:
    found = chosen(shop_app().graph(), Choice(to=name))
    assert ways(found) == {("bank/payments", key), ("shop/orders", "bank/payments")}


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (Choice(of="ordrs"), "'ordrs' is not in the graph; did you mean 'orders'?"),
        (Choice(to="shop/catalg"), "'shop/catalg' is not in the graph; did you mean 'shop/catalog'?"),
        (Choice(to="xyz"), "'xyz' is not in the graph; it has audit, bank/audit, bank/ledger"),
        (Choice(of="edge"), "'edge' is not in the graph; did you mean"),
    ],
)
def test_an_unknown_name_is_one_line(choice: Choice, said: str) -> None:
    with pytest.raises(ChoiceError) as error:
        chosen(shop_app().graph(), choice)
    assert str(error.value).startswith(said) and "\n" not in str(error.value)


def test_a_name_of_several_is_one_line() -> None:
    app = shop_app()
    app.namespace("other").service("orders", image="x@sha256:" + "0" * 64, port=8080)
    with pytest.raises(ChoiceError, match="'orders' is several: other/orders, shop/orders; name one of them in full"):
        chosen(app.graph(), Choice(of="orders"))
    assert chosen(app.graph(), Choice(of="shop/orders"))


def test_an_empty_graph_has_nobody() -> None:
    with pytest.raises(ChoiceError, match="'orders' is not in the graph; it is empty"):
        chosen(Parts("estate", "estate.example"), Choice(of="orders"))


PROGRAM = """
from garrison import App

PIN = "@sha256:" + "0" * 64
app = App("estate", trust_domain="estate.example", images={"envoy": "envoy" + PIN, "openbao": "openbao" + PIN})
shop = app.namespace("shop")
a, b, c = (shop.service(name, image=name + PIN, port=8080) for name in ("first", "second", "third"))
a.calls(b, "GET /b")
b.calls(c, "GET /c")
"""


@pytest.fixture
def graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["graph", "--app", str(program), *arguments])
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize("form", ["table", "mermaid", "svg", "json"])
def test_each_format_shows_what_was_chosen(graph: Callable[..., tuple[int, str, str]], form: str) -> None:
    code, out, _ = graph("--of", "first", "--depth", "1", "--format", form)
    assert code == 0 and "second" in out and "third" not in out
    assert "what first reaches in 1 step" in out
    assert "third" in graph("--of", "first", "--format", form)[1]


def test_json_of_a_part_is_not_taken_for_a_whole(
    graph: Callable[..., tuple[int, str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = tmp_path / "part.json"
    part.write_text(graph("--of", "second", "--format", "json")[1])
    assert json.loads(part.read_text())["only"] == "what second reaches"
    assert cli.main(["render", "--app", str(part)]) == 2
    assert "there is no 'only'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--of", "secnd"], "garrison: 'secnd' is not in the graph; did you mean 'second'?\n"),
        (["--depth", "2"], "garrison: --depth counts steps from somewhere: say --of NAME or --to NAME, too\n"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    graph: Callable[..., tuple[int, str, str]], arguments: list[str], said: str
) -> None:
    assert graph(*arguments) == (2, "", said)


@pytest.mark.parametrize("depth", ["0", "-1", "x", "²"])
def test_a_depth_is_a_number_of_steps(
    graph: Callable[..., tuple[int, str, str]], depth: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        graph("--of", "first", "--depth", depth)
    assert "is not a number of steps, such as 2" in capsys.readouterr().err
