"""The picture: no box covers another, each line ends at its boxes and crosses none, and no text is on a line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given

from garrison import App, Rate, claim, data
from garrison.explain import boxes, diagram, drawing, ink, layout, strokes
from garrison.explain.layout import Block, Placed, Rect, Way
from garrison.explain.links import WEAK, Kind, Link, Node, Shape, links, nodes
from garrison.model.parts import Parts
from unit.estates import DIGEST, apps, shop_app
from unit.tickets import tickets

SVG = "{http://www.w3.org/2000/svg}"
WIDEST = {"16": 10.5, "12.5": 7.6, "11": 6.2}  # of a letter, by the size of the text


def apart(one: Rect, other: Rect) -> bool:
    beside = one.x + one.width <= other.x + 0.1 or other.x + other.width <= one.x + 0.1
    return beside or one.y + one.height <= other.y + 0.1 or other.y + other.height <= one.y + 0.1


def laid_out(blocks: list[Block], ways: list[Way], frames: Mapping[str, int]) -> Placed:
    """The places, of which everything is true that a picture needs."""
    found = layout.placed(blocks, ways, frames)
    assert found == layout.placed(blocks, ways, frames), "the same graph, another picture"
    for block in blocks:
        rect = found.blocks[block.key]
        assert (rect.width, rect.height) == (block.width, sum(block.heights))
        assert all(apart(rect, other) for key, other in found.blocks.items() if key != block.key), "boxes overlap"
        for frame, around in found.frames.items():
            inside = around.x <= rect.x and rect.x + rect.width <= around.x + around.width
            inside = inside and around.y <= rect.y and rect.y + rect.height <= around.y + around.height
            assert inside if frame == block.frame else apart(rect, around), f"{block.key} and the frame {frame}"
    assert all(apart(*pair) for pair in combinations(found.frames.values(), 2)), "frames overlap"
    heights = {block.key: block.heights for block in blocks}
    for way, points in zip(ways, found.ways, strict=True):
        start, end = found.blocks[way.start], found.blocks[way.end]
        rows = heights[way.end]
        middle = end.y + sum(rows[: way.row]) + rows[way.row] / 2
        assert points[0] == pytest.approx((start.x + start.width, start.y + heights[way.start][0] / 2), abs=1.5)
        assert points[-1] == pytest.approx((end.x, middle), abs=1.5)
        for point in (point for curve in layout.curves(points) for point in layout.along(curve)):
            assert 0 <= point[0] <= found.width and -1 <= point[1] <= found.height + 1
            assert not any(rect.holds(point) for rect in found.blocks.values()), "a line crosses a box"
    return found


def holds(parts: Parts) -> ElementTree.Element:
    """The picture, whose places hold, whose texts have room, and which is the same each time."""
    picture = drawing._Picture(parts, "x")
    blocks = [Block(key, box.width, box.heights, box.node.namespace) for key, box in picture.boxes.items()]
    laid_out(blocks, [way for _, way in picture.drawn], picture.frames)
    text = drawing.svg(parts)
    assert text == drawing.svg(parts)
    root = ElementTree.fromstring(text)
    groups = [group for group in root.iter(f"{SVG}g") if group.get("id")]
    assert len(groups) == len([*nodes(parts)])
    for group in groups:
        rects = [*group.iter(f"{SVG}rect")]
        for said in group.iter(f"{SVG}text"):
            assert rects or group.find(f"{SVG}path") is not None
            for rect in rects:
                right = float(rect.get("x", "")) + float(rect.get("width", ""))
                assert float(said.get("x", "")) + width(said) <= right + 1, f"{text_of(said)!r} is wider than its box"
    drawn = Counter(line.get("class", "").split()[1:3].__repr__() for line in root.iter(f"{SVG}g") if line_of(line))
    number = {node.key: number for number, node in enumerate(nodes(parts))}
    pairs = {repr([f"n{number[link.start]}", f"n{number[link.end]}"]) for link in links(parts)}
    assert set(drawn) == pairs, "a line leads elsewhere"
    return root


def line_of(element: ElementTree.Element) -> bool:
    return element.get("class", "").startswith("line ")


def text_of(element: ElementTree.Element) -> str:
    return element.text or "".join(element.itertext())


def width(said: ElementTree.Element) -> float:
    shown = next(iter(reversed([*said.itertext()])))
    return WIDEST[said.get("font-size", "11")] * len(shown)


@given(apps())
def test_no_line_through_a_box_and_each_at_its_ends(app: App) -> None:
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


def with_every_protocol() -> App:
    """A worker, TCP, gRPC, a further port, an image that binds everything, secrets of one namespace and of two."""
    app = shop_app()
    shop = app.namespace("hall")
    cart = shop.service("cart", image="cart" + DIGEST, port=7070, protocol="grpc", bind="all")
    redis = shop.service("redis", image="redis" + DIGEST, port=6379, protocol="tcp", volumes={"/data": "1Gi"})
    broker = shop.service("broker", image="broker" + DIGEST, port=5672, protocol="tcp")
    worker = shop.service("worker", image="worker" + DIGEST)
    panel = broker.port("management", 9672)
    cart.connects(redis)
    cart.connects(broker)
    worker.connects(broker)
    worker.calls(panel, "GET /api/overview")
    worker.calls(cart, "shop.v1.Cart/GetItem")
    for service in (cart, worker):
        service.reads("broker/password")
    worker.reads("psp/api-key")
    return app


@pytest.mark.parametrize("made", [circles, with_edge, with_every_protocol, tickets, lambda: tickets(in_one=True)])
def test_circles_long_names_and_large_ones_hold_too(made: Callable[[], App]) -> None:
    holds(made().graph())


def test_sixty_four_workloads_stay_readable() -> None:
    graph = tickets().graph()
    assert len(graph.services) == 64 and len(graph.calls) >= 150
    root = holds(graph)
    assert {text_of(said) for said in root.iter(f"{SVG}text")} >= {service.name for service in graph.services}
    assert not [said for said in root.iter(f"{SVG}text") if text_of(said).startswith("GET ")], "names only"
    thin = [line for line in root.iter(f"{SVG}g") if line_of(line) and "many" in line.get("class", "")]
    number = next(group.get("id") for group in root.iter(f"{SVG}g") if hint(group).startswith("front/gateway:"))
    assert {line.get("class", "").split()[1] for line in thin} == {number}, "the gateway's alone are thin"
    assert f"svg:has(#{number}:hover)" in "".join(root.itertext())
    gets = [hint(line) for line in root.iter(f"{SVG}g") if line_of(line)]
    assert "front/gateway → orders/cancel: a declared call\nGET /cancel/{id}\nPOST /cancel" in gets
    ways = drawing._Picture(graph, "x").place
    assert (ways.width, ways.height) < (3000, 2000)


def hint(element: ElementTree.Element) -> str:
    found = element.find(f"{SVG}title")
    return "" if found is None else found.text or ""


def test_what_one_service_alone_has_hangs_below_it() -> None:
    graph = with_every_protocol().graph()
    drawn = boxes.boxes({node.key: node for node in nodes(graph)}, [*links(graph)])
    hung = {key: [box.node.name for box in box.hung] for key, box in drawn.items() if box.hung}
    assert hung == {"bank/payments": ["ledger"], "hall/cart": ["redis"]}
    spaces = {node.name: node.namespace for node in nodes(graph) if node.shape == Shape.SECRET}
    assert spaces == {"broker/password": "hall", "psp/api-key": ""}, "one of two namespaces stands in neither"


def test_connections_workers_and_a_layer_less_look_different_and_are_said() -> None:
    graph = with_every_protocol().graph()
    shapes = {node.name: node.shape for node in nodes(graph)}
    assert shapes["worker"] == Shape.WORKER and shapes["redis"] == Shape.TCP and shapes["cart"] == Shape.SERVICE
    weak = {node.name: node.weak for node in nodes(graph) if node.weak}
    assert weak == {"cart": WEAK}
    said = {(link.start, link.end, link.fine): (link.kind, link.lines) for link in links(graph)}
    assert said["hall/cart", "hall/redis", ()] == (Kind.CONNECTION, ("connects, operations not checked",))
    assert said["hall/worker", "hall/cart", ()] == (Kind.CALL, ("Cart/GetItem",))
    assert said["hall/worker", "hall/broker", ("at its port management",)] == (Kind.CALL, ("GET /api/overview",))
    text = drawing.svg(graph)
    assert WEAK in text and Kind.CONNECTION in text and 'class="box rim weak"' in text and '<path class="l tcp"' in text
    assert re.search(
        "hall/cart +connect +hall/redis +with its identity; what is said is not checked", diagram.table(graph)
    )
    assert "hall/broker:management" in diagram.table(graph)


def test_a_host_outside_stands_in_no_frame() -> None:
    """Callees without a namespace are outside; `Parts` has them before the laws let them pass."""
    graph = shop_app().graph()
    call = graph.calls[0]
    outside = type(call)(call.caller, type(call.callee)("", "api.psp.example"), call.operations)
    parts = Parts("estate", "estate.example", graph.namespaces, graph.services, (*graph.calls, outside))
    found = [node for node in nodes(parts) if node.shape == Shape.OUTSIDE]
    assert [(node.name, node.namespace) for node in found] == [("api.psp.example", "")]
    assert "api.psp.example" in drawing.svg(parts)


def test_every_noun_and_kind_of_line_is_drawn_in_a_way_of_its_own() -> None:
    assert set(ink.OUTLINES) == set(Shape) and set(ink.LINES) == set(Kind)
    outlines = {(strokes.outline(shape, Rect(0, 0, 40, 20), ""), ink.OUTLINES[shape][1]) for shape in Shape}
    alike = {Shape.SECRET, Shape.ISSUER}  # both keep a key; one is in a frame, or hangs
    assert len(outlines) == len(Shape) - len(alike) + 1
    assert len({(line.colour, line.dash) for line in ink.LINES.values()}) == len(Kind)
    assert set(diagram.SHAPES) == set(Shape) - {Shape.SERVICE, Shape.ISSUER} and set(diagram.ARROWS) == set(Kind)


def test_the_legend_names_what_is_there_and_nothing_else() -> None:
    text = drawing.svg(shop_app().graph())
    legend = text.rpartition("</title>")[2]
    assert all(f">{said}</text>" in legend for said in (Shape.SERVICE, Shape.DATABASE, Shape.SECRET, Kind.CALL))
    assert not any(f">{said}</text>" in text for said in (Shape.WORKER, Shape.EDGE, Kind.CONNECTION, WEAK))


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_from_what_is_below_them(mode: int) -> None:
    """WCAG 2.2, 1.4.3: 4.5 for texts; lines are held to the same."""
    grounds = [one[mode] for one in (ink.PAPER, ink.BOX, *ink.FRAMES)]
    inks = [ink.TEXT, ink.SOFT, ink.WEAK, *(line.colour for line in (*ink.LINES.values(), *ink.HUES))]
    for one in (colour[mode] for colour in inks):
        for ground in grounds:
            assert contrast(one, ground) >= 4.5, f"{one} on {ground}"
    assert all(contrast(ink.RIM[mode], ground) >= 3 for ground in grounds), "1.4.11: 3 for outlines"


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_no_font_and_nothing_else_is_fetched() -> None:
    text = drawing.svg(tickets().graph())
    assert "url(#" in text and not re.search(r"url\((?!#)|@font-face|@import|href|<script|<image", text)


def test_an_empty_app_is_a_picture_too() -> None:
    ElementTree.fromstring(drawing.svg(Parts("estate", "estate.example")))


def test_where_nothing_lays_out_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(layout.LayoutError, match=r"an SVG needs a layout: install 'graphviz-pure'.*or Graphviz"):
        drawing.svg(shop_app().graph())


@pytest.mark.parametrize(
    ("program", "said"),
    [("echo no; exit 0", "no layout: Expecting value"), ("echo broken >&2; exit 3", "no layout: broken")],
)
def test_a_program_that_fails_is_one_line(
    program: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / layout.PROGRAM
    path.write_text(f"#!/bin/sh\n{program}\n")
    path.chmod(0o755)
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(layout.LayoutError, match=said):
        drawing.svg(shop_app().graph())


def test_public_routes_look_different_from_those_for_users() -> None:
    graph = with_edge().graph()
    served = {link.title: link.kind for link in links(graph) if link.start == "edge/edge" and link.end == "kiosk/kiosk"}
    assert set(served.values()) == {Kind.PUBLIC, Kind.TOKEN}
    assert served["anybody"] == Kind.PUBLIC
    assert served["any user of people"] == Kind.TOKEN
    text = drawing.svg(graph)
    assert '<path class="l open"' in text and '<path class="l user"' in text
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
    app = with_every_protocol()
    for space, name in (("a-b", "c"), ("a", "b-c")):
        app.namespace(space).service(name, image="x" + DIGEST, port=8080)
    lines = diagram.mermaid(app.graph()).splitlines()
    ids = [found[1] for line in lines if (found := re.match(r"\s+([\w.]+)[\[({>]", line))]
    assert len(ids) == len(set(ids)) == len([*nodes(app.graph())])
    for line in diagram.mermaid(with_edge().graph()).splitlines():
        for said in re.findall(r'"([^"]*)"', line):
            assert not re.search(r"<(?!br/>)|(?<!<br/)>", said)


def test_a_box_is_as_wide_as_what_it_says() -> None:
    node = Node("a/b", Shape.SERVICE, "b", "port 1", "a")
    link = Link("a/c", "a/b", Kind.CALL, "c", ("GET /" + "x" * 80,))
    box = boxes.Box(node, (link,), detailed=True)
    assert box.width > boxes.LETTER * boxes.MOST and len(boxes.cut(link.lines[0])) == boxes.MOST
    assert boxes.Box(node, (link,), detailed=False).width == boxes.NARROW
