"""What a graph and its objects cost grows with what is declared, not with its square: work is counted, never timed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from garrison import App, render
from unit.estates import empty_app
from unit.mixed import IMAGE, mixed

ONCE = 2.1  # twice as much, and what sorting adds


def counted(work: Callable[[], object]) -> int:
    """How many functions are called, Python's own among them."""
    calls = 0

    def called(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def hub(callers: int) -> App:
    """One service with further ports that everybody calls, and one host outside."""
    app = empty_app()
    home = app.namespace("shop")
    center = home.service("center", image=IMAGE, port=8080)
    ports = [center.port(f"p{i}", 9000 + i, protocol="tcp" if i else "grpc") for i in range(2)]
    outside = app.external("api.psp.example")
    for i in range(callers):
        caller = home.service(f"w{i}", image=IMAGE)
        caller.calls(center, "GET /items/{id}", f"GET /items/{i}/own")
        caller.calls(ports[0], "shop.Items/Get")
        caller.connects(ports[1])
        caller.calls(outside, "POST /charges")
    return app


@pytest.mark.parametrize(("made", "size"), [(mixed, 60), (mixed, 120), (hub, 40)])
def test_twice_as_much_is_twice_the_work(made: Callable[[int], App], size: int) -> None:
    apps = made(size), made(2 * size)
    graphs = [app.graph() for app in apps]
    assert len(graphs[1].calls) == 2 * len(graphs[0].calls)
    for app, graph in zip(apps, graphs, strict=True):
        render(graph)  # what is looked up once is there
        app.graph()
    works: dict[str, list[Callable[[], object]]] = {
        "freezing": [app.graph for app in apps],
        "rendering": [partial(render, graph) for graph in graphs],
    }
    for what, (one, other) in works.items():
        once, twice = counted(one), counted(other)
        assert once > 1000, "the control: something is counted"
        assert twice < ONCE * once, f"{what}: {once} calls, and {twice} for twice as much"


def test_what_grows_with_the_square_would_be_seen() -> None:
    def square(size: int) -> Callable[[], object]:
        return lambda: [len(()) for _ in range(size) for _ in range(size)]

    once, twice = counted(square(40)), counted(square(80))
    assert twice > ONCE * once
