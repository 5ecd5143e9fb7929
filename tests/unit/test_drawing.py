"""The picture: every text stands in its box, no box covers another, no line crosses a box; on random estates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given

from garrison import App, Rate, claim, data
from garrison.explain import diagram, drawing, layout
from garrison.explain.links import Kind, links, nodes
from garrison.model.graph import Graph
from unit.estates import DIGEST, apps, shop_app

SVG = "{http://www.w3.org/2000/svg}"
Box = tuple[float, float, float, float]


def picture(graph: Graph) -> ElementTree.Element:
    return ElementTree.fromstring(drawing.svg(graph))


def boxes(root: ElementTree.Element) -> list[Box]:
    rims = [rect for rect in root.iter(f"{SVG}rect") if "rim" in rect.get("class", "")]
    return [tuple(float(rect.get(name, "")) for name in ("x", "y", "width", "height")) for rect in rims]  # type: ignore[misc]


def points(path: str) -> Iterator[tuple[float, float]]:
    """Points along a path of M, C, H and V, dense enough to meet any box."""
    steps = re.findall(r"([MCHV])([-\d. e]+)", path)
    x = y = 0.0
    for letter, text in steps:
        numbers = [float(number) for number in text.split()]
        if letter == "M":
            x, y = numbers
            continue
        if letter == "C":
            a, b, c, e, to, at = numbers
        else:
            to, at = (numbers[0], y) if letter == "H" else (x, numbers[0])
            a, b, c, e = x, y, to, at
        for step in range(41):
            t = step / 40
            u = 1 - t
            yield (
                u**3 * x + 3 * u * u * t * a + 3 * u * t * t * c + t**3 * to,
                u**3 * y + 3 * u * u * t * b + 3 * u * t * t * e + t**3 * at,
            )
        x, y = to, at


def inside(point: tuple[float, float], box: Box) -> bool:
    left, top, width, height = box
    return left + 0.5 < point[0] < left + width - 0.5 and top + 0.5 < point[1] < top + height - 0.5


def near(one: float, other: float) -> bool:
    return abs(one - other) < 0.1


def holds(graph: Graph) -> None:
    root = picture(graph)
    found = boxes(root)
    assert len(found) == len([*nodes(graph)])
    for number, (left, top, width, height) in enumerate(found):
        assert left >= 0 and left + width <= float(root.get("width", ""))
        assert top >= 0 and top + height <= float(root.get("height", ""))
        for x, y, w, h in found[number + 1 :]:
            apart = left + width <= x or x + w <= left or top + height <= y or y + h <= top
            assert apart, "two boxes share a place"
    lines = [path for path in root.iter(f"{SVG}path") if path.get("marker-end")]
    assert len(lines) == len([*links(graph)]) + len({link.kind for link in links(graph)})  # and the legend
    keys = [node.key for node in nodes(graph)]
    drawn: Counter[tuple[str, str]] = Counter()
    for line in lines[: len([*links(graph)])]:
        way = [*points(line.get("d", ""))]
        begins = [
            k for k, (x, y, w, h) in zip(keys, found, strict=True) if near(way[0][0], x + w) and y < way[0][1] < y + h
        ]
        ends = [
            k for k, (x, y, _, h) in zip(keys, found, strict=True) if near(way[-1][0], x) and y < way[-1][1] < y + h
        ]
        drawn[begins[0], ends[0]] += 1
    assert drawn == Counter((link.start, link.end) for link in links(graph)), "a line leads elsewhere"
    for line in lines:
        for point in points(line.get("d", "")):
            assert point[0] >= 0
            assert not any(inside(point, box) for box in found), "a line crosses a box"
    for text in root.iter(f"{SVG}text"):
        x, y = float(text.get("x", "")), float(text.get("y", ""))
        within = [box for box in found if inside((x, y), box)]
        said = "".join(text.itertext())
        assert within or said in {*Kind, f"{graph.name}: who may call whom"}
        for left, _, width, _ in within:
            letter = 7.6 if text.get("font-size") == "13" else 6.1
            assert x + letter * min(len(said), drawing.MOST) <= left + width, f"{said!r} is wider than its box"


@given(apps())
def test_no_text_on_a_line_and_no_line_through_a_box(app: App) -> None:
    holds(app.graph())


def circles() -> App:
    app = shop_app()
    ring = app.namespace("ring")
    services = [ring.service(f"s{n}", image="ring" + DIGEST, port=8080) for n in range(6)]
    for start, end in ((0, 1), (1, 2), (2, 0), (3, 1), (2, 4), (4, 1), (5, 0), (0, 5)):
        services[start].calls(services[end], f"GET /from/{start}")
    return app


def with_edge() -> App:
    app = circles()
    users = app.users()
    people = app.issuer("https://people.example", jwks="https://people.example/keys", audience="estate")
    api, www = app.host("api.estate.example"), app.host("www.a-long-name-of-a-host.estate.example", login=users)
    kiosk = app.namespace("kiosk").service("kiosk", image="kiosk" + DIGEST, port=8080)
    own = claim("sub") == data("subject")
    kiosk.serves("GET /orders/{id}", at=[api, www], to=users.group("a group " * 8 + "ends"), where=own)
    kiosk.serves("GET /all", at=api, to=people.anyone(), rate=Rate.per_minute(30, per="user"))
    kiosk.serves("GET /items", at=[api, www], public="for everybody", rate=Rate.per_second(20, per="address"))
    return app


@pytest.mark.parametrize("made", [circles, with_edge])
def test_circles_and_long_names_hold_too(made: Callable[[], App]) -> None:
    holds(made().graph())


def test_public_routes_look_different_from_those_for_users() -> None:
    graph = with_edge().graph()
    served = {link.title: link.kind for link in links(graph) if link.start == "edge/edge" and link.end == "kiosk/kiosk"}
    assert set(served.values()) == {Kind.PUBLIC, Kind.TOKEN}
    assert served["anybody"] == Kind.PUBLIC
    assert served["any user of people"] == Kind.TOKEN
    text = drawing.svg(graph)
    assert '<path class="open"' in text and '<path class="user"' in text
    assert ".open{stroke-dasharray" in text and "prefers-color-scheme:dark" in text


def test_the_table_has_hosts_groups_conditions_and_limits() -> None:
    text = diagram.table(with_edge().graph())
    for said in (
        "GET /items",
        "api.estate.example",
        "30 a minute for each user",
        "20 a second for each address",
        "where claim('sub') == data('subject')",
        "browsers; people log in with users",
        "people, another issuer: tokens for estate, groups in groups",
        "whoever logs in at users, the embedded issuer",
    ):
        assert said in text
    assert "THROUGH" not in diagram.table(shop_app().graph()), "an estate without a host has no such column"


def test_mermaid_has_an_id_of_its_own_for_each_part_and_no_text_that_it_would_read() -> None:
    app = shop_app()
    for space, name in (("a-b", "c"), ("a", "b-c")):
        app.namespace(space).service(name, image="x" + DIGEST, port=8080)
    lines = diagram.mermaid(app.graph()).splitlines()
    ids = [found[1] for line in lines if (found := re.match(r"\s+([\w.]+)[\[({]", line))]
    assert len(ids) == len(set(ids)) == len([*nodes(app.graph())])
    for line in diagram.mermaid(with_edge().graph()).splitlines():
        for said in re.findall(r'"([^"]*)"', line):
            assert not re.search(r"<(?!br/>)|(?<!<br/)>", said)


def test_the_way_of_a_layout_without_circles_is_the_longest() -> None:
    keys = ["a", "b", "c", "d"]
    pairs = [("a", "b"), ("b", "c"), ("a", "c"), ("c", "a")]
    back = layout.backward(keys, pairs)
    assert back == {("c", "a")}
    column = layout.columns(keys, [pair for pair in pairs if pair not in back])
    assert column == {"a": 0, "b": 1, "c": 2, "d": 0}
    chain = [f"n{number}" for number in range(3000)]
    assert not layout.backward(chain, [*pairwise(chain)])
