"""What an operation permits, to the letter: the table of docs/verbs.md on a real Envoy."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from garrison.cluster import Cluster
from garrison.derive import mesh
from garrison.words import Ref
from harness.build import binary
from servers.proxies import Bench, raw
from unit.estates import DIGEST, empty_app


def sent(bench: Bench, line: str) -> tuple[int, str]:
    """Status, and the path that the application got."""
    answer = raw(bench, f"{line} HTTP/1.1\r\nhost: catalog.shop\r\n\r\n")
    status, _, body = answer.decode().partition(" ")
    return int(status or 0), json.loads(body)["path"] if status == "200" else ""


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("GET /items", "/items"),
        ("GET /items?", "/items?"),
        ("GET /items?x=/../admin", "/items?x=/../admin"),
        ("GET /items/7", "/items/7"),
        ("GET /items/7?x=1", "/items/7?x=1"),
        ("GET //items//7", "/items/7"),
        ("GET /./items/7", "/items/7"),
        ("GET /items/x/../7", "/items/7"),
        ("GET /items\\7", "/items/7"),
        ("GET /items/%37", "/items/7"),
        ("GET /%69tems/7", "/items/7"),
        ("GET /items/a%20b", "/items/a%20b"),
        ("GET /items/%C3%BC", "/items/%C3%BC"),
        ("GET /items/a:b@c,d=e~(f)!$&'*+", "/items/a:b@c,d=e~(f)!$&'*+"),
        ("GET /items/...", "/items/..."),
        ("GET http://elsewhere.example/items/7", "/items/7"),
    ],
)
def test_what_a_declared_operation_permits_and_what_the_application_gets(bench: Bench, line: str, path: str) -> None:
    assert sent(bench, line) == (200, path)


@pytest.mark.parametrize(
    "line",
    [
        *(f"{method} /items/7" for method in ("POST", "HEAD", "OPTIONS", "PUT", "get", "TRACE", "CONNECT", "GETX")),
        *("GET /Items/7", "GET /ITEMS", "GET /items/", "GET /items/7/", "GET /items//", "GET /", "GET /items/7/price"),
        *("GET /items/../admin", "GET /items/%2e%2e/admin", "GET /items/.%2E/admin", "GET /items/7/..%2fadmin"),
        *("GET /items/7%2f8", "GET /items/7%5c8", "GET /items/7\\8", "GET \\items\\7\\8"),
        *("GET /items/7;v=1", "GET /items/7%3bv=1", "GET /items/7%3Bv=1", "GET /items;v=1", "GET /items;v=1/7"),
        *("GET /items/;", "GET /items/..;/admin", "GET /;/items/7", "GET /items/7;/../8;"),
        *("GET /items/7%252f8", "GET /items/%252e%252e", "GET /items/7%00", "GET /items/7%23", "GET /items/7%3fx"),
        *("GET /items/7%c0%af8", "GET /items/%", "GET /items/%zz", "GET /items/7%0d%0a", "GET /items/\u00fc"),
        *("GET /items/7#x", "GET *", "OPTIONS *", "GET items/7", "GET http://catalog.shop/admin", "GET /items%2f7"),
        *("GET /items%3f", "GET /items%20", "GET /items%00"),
    ],
)
def test_what_it_does_not_permit(bench: Bench, line: str) -> None:
    status, path = sent(bench, line)
    assert status in (0, 400, 403, 404), (status, path)
    assert sent(bench, "GET /items/7")[0] == 200, "the control"


LONG = "/subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Network/virtualNetworks/{v}/subnets/{n}/links/{l}"
LONGEST = 1024  # letters of a path that a declaration may have


def filled(*parts: str) -> str:
    """The longest path of such segments, the variables with names of their own."""
    path = ""
    for number in range(LONGEST):
        more = "".join(f"/{part.format(number)}" for part in parts)
        if len(path) + len(more) > LONGEST:
            return path
        path += more
    raise AssertionError("segments have letters")


@pytest.mark.parametrize(
    "path",
    [LONG, "/" + "a" * (LONGEST - 1), filled("{{v{}}}"), filled("x" * 30, "{{v{}}}"), filled("a-b.c_d~e", "{{v{}}}")],
    ids=["the field's", "letters", "variables", "both", "punctuation"],
)
def test_a_long_path_is_no_burden_to_the_proxy(tmp_path: Path, path: str) -> None:
    app = empty_app()
    caller, callee = (app.service(name, image=f"r.example/{name}{DIGEST}", port=8080) for name in ("a", "b"))
    caller.calls(callee, f"GET {path}")
    graph = app.graph()
    for name, text in mesh.config(graph, Cluster(), graph.by_ref[Ref("estate", "b")]).items():
        (tmp_path / name).write_text(text.replace("/etc/envoy", str(tmp_path)))
    command = [binary("envoy"), "--mode", "validate", "-c", tmp_path / "envoy.json", "--log-level", "error"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
