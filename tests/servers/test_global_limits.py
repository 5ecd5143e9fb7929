"""Limits that count once for all pods: two real edges, the real limiter and Redis between them."""

from __future__ import annotations

import http.client
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from garrison import App, Rate
from garrison.derive.edge import counting
from servers import limiters
from servers.edges import Answer, Edge, ask, mount, stand
from servers.limiters import Limiter
from servers.proxies import eventually
from unit.authority import Authority
from unit.edges import API
from unit.estates import DIGEST, IMAGES


def limited(*, more: bool = False) -> App:
    """`more` has one more rate, which the estate did not have before."""
    images = {**IMAGES, **{role: f"registry.example/{role}{DIGEST}" for role in ("ratelimit", "redis")}}
    app = App("estate", trust_domain="estate.example", images=images)
    catalog = app.namespace("shop").service("catalog", image="registry.example/catalog" + DIGEST, port=8080)
    users, api = app.users(), app.host(API)
    catalog.serves("GET /all", at=api, public="a test", rate=Rate.per_hour(50, per="all"))
    catalog.serves("GET /address", at=api, public="a test", rate=Rate.per_hour(3, per="address"))
    catalog.serves("GET /user", at=api, to=users.anyone(), rate=Rate.per_hour(4, per="user"))
    catalog.serves("GET /seconds", at=api, public="a test", rate=Rate.per_second(5, per="all"))
    catalog.serves("GET /free", at=api, public="a test")
    if more:
        catalog.serves("GET /more", at=api, public="a test", rate=Rate.per_hour(7, per="all"))
    return app


@dataclass
class Place:
    limiter: Limiter
    edges: tuple[Edge, Edge]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    graph, root, folder = limited().graph(), Authority.fresh(), tmp_path_factory.mktemp("limits")
    (folder / "limits").mkdir()
    with (
        limiters.stand(folder / "limits", graph, root) as limiter,
        stand(folder / "a", graph, root=root, limiter=limiter.port) as one,
        stand(folder / "b", graph, root=root, limiter=limiter.port) as other,
    ):
        yield Place(limiter, (one, other))


def within_the_hour() -> None:
    """The windows begin with the clock's hour: a test that would straddle it waits for the next one."""
    eventually(lambda: time.time() % 3600 < 3570, "the next hour has begun", seconds=40)


def together(place: Place, path: str, number: int) -> list[Answer]:
    """So many at once, in turns at both edges."""
    within_the_hour()
    with ThreadPoolExecutor(number) as clients:
        asked = [clients.submit(ask, place.edges[turn % 2], "GET", path) for turn in range(number)]
        return [one.result() for one in asked]


def test_of_120_at_once_at_two_pods_exactly_50_pass(place: Place) -> None:
    before = sum(len(edge.seen) for edge in place.edges)
    answers = together(place, "/all", 120)
    assert Counter(one.status for one in answers) == {200: 50, 429: 70}
    assert sum(len(edge.seen) for edge in place.edges) == before + 50
    refused = [one for one in answers if one.status == 429]
    assert all(0 < int(one.headers["retry-after"]) <= 3600 for one in refused)
    assert {one.headers["content-type"] for one in refused} == {"application/problem+json"}
    passed = [one for one in answers if one.status == 200]
    assert sorted(int(one.headers["x-ratelimit-remaining"]) for one in passed) == [*range(50)]
    assert {one.headers.get("x-ratelimit-remaining", "0") for one in refused} == {"0"}  # not said by a pod's own bucket
    assert {one.headers["x-ratelimit-limit"].split(",")[0] for one in passed} == {"50"}
    assert {ask(edge, "GET", "/free").status for edge in place.edges} == {200}


def test_users_are_counted_apart_and_over_both_pods(place: Place) -> None:
    within_the_hour()
    one, other = place.edges
    token = {edge.port: {name: edge.token(name) for name in ("alice", "bob")} for edge in place.edges}

    def get(edge: Edge, user: str) -> int:
        return ask(edge, "GET", "/user", token=token[edge.port][user]).status

    assert [get(edge, "alice") for edge in (one, other) * 3] == [200] * 4 + [429] * 2
    assert [get(edge, "bob") for edge in (other, one)] == [200, 200]


def test_addresses_are_counted_apart_and_over_both_pods(place: Place) -> None:
    within_the_hour()
    one, other = place.edges
    assert [ask(edge, "GET", "/address").status for edge in (one, other) * 2] == [200] * 3 + [429]
    assert from_address(one, "127.0.0.2") == 200


def from_address(edge: Edge, source: str) -> int:
    tls = ssl.create_default_context(cafile=str(edge.folder / "id" / "edge" / "ca.pem"))
    tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
    made = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10, source_address=(source, 0))
    made.connect()
    made.sock = tls.wrap_socket(made.sock, server_hostname=API)
    try:
        made.request("GET", "/address", headers={"host": API})
        return made.getresponse().status
    finally:
        made.close()


def test_a_window_begins_with_the_clock_and_never_lets_more_pass(place: Place) -> None:
    """So across a boundary up to twice the number passes."""
    passed: Counter[int] = Counter()

    def asked(turn: int) -> None:
        before = int(time.time())
        answer = ask(place.edges[turn % 2], "GET", "/seconds")
        if answer.status == 200 and int(time.time()) == before:
            passed[before] += 1

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(asked, range(200)))
    assert passed
    assert max(passed.values()) <= 5


def test_only_the_edge_asks_the_limiter_and_one_thing_alone(place: Place) -> None:
    edge = place.edges[0]
    for who, path in (("catalog", counting.METHOD), ("edge", "/grpc.health.v1.Health/Check"), ("edge", "/json")):
        assert grpc(place.limiter, edge.folder / "id" / who, path) in ("403", "404")
    with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
        grpc(place.limiter, None, counting.METHOD)


def grpc(limiter: Limiter, identity: Path | None, path: str) -> str:
    """The HTTP status, by curl, which speaks HTTP/2 without being asked in ALPN."""
    own = ["--cert", str(identity / "tls.crt"), "--key", str(identity / "tls.key")] if identity else []
    command = ["curl", "--silent", "--insecure", "--http2-prior-knowledge", *own, "--request", "POST", "--output", "-"]
    where = f"https://127.0.0.1:{limiter.port}{path}"
    command += ["--write-out", "%{http_code}", "--header", "content-type: application/json", where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        raise ConnectionError(done.stderr)
    return done.stdout[-3:]


def test_a_rate_that_the_limiter_does_not_know_lets_nothing_pass_until_its_file_is_there(tmp_path: Path) -> None:
    known, new, root = limited().graph(), limited(more=True).graph(), Authority.fresh()
    (tmp_path / "limits").mkdir()
    with (
        limiters.stand(tmp_path / "limits", known, root) as limiter,
        stand(tmp_path / "a", new, root=root, limiter=limiter.port) as edge,
    ):
        assert ask(edge, "GET", "/more").status == 429
        assert ask(edge, "GET", "/all").status == 200
        limiter.mount(new)
        eventually(lambda: ask(edge, "GET", "/more").status == 200, "the file is read again")


def test_a_pods_own_buckets_begin_anew_with_the_routes_of_their_host_and_the_limiters_count_does_not(
    tmp_path: Path,
) -> None:
    few, more, root = limited().graph(), limited(more=True).graph(), Authority.fresh()
    (tmp_path / "limits").mkdir()
    with (
        limiters.stand(tmp_path / "limits", more, root) as limiter,
        stand(tmp_path / "a", few, root=root, limiter=limiter.port) as edge,
    ):
        within_the_hour()
        assert [ask(edge, "GET", "/address").status for _ in range(4)] == [200] * 3 + [429]
        mount(edge, more)
        eventually(lambda: ask(edge, "GET", "/more").status == 200, "another route is there")
        assert ask(edge, "GET", "/address").status == 429
        eventually(lambda: len(edge.lines(path="/address")) == 5, "all are logged")
        details = [line["detail"] for line in edge.lines(path="/address", status=429)]
        assert details == ["local_rate_limited", "request_rate_limited"]  # the own bucket would have let it pass


def test_without_the_limiter_or_its_redis_what_is_limited_is_refused(place: Place) -> None:
    one, _ = place.edges
    seen = len(one.seen)
    token = one.token("carol")
    for part in ("redis", "ratelimit", "proxy"):
        place.limiter.stop(part)
        answer = ask(one, "GET", "/user", token=token)
        assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
        eventually(lambda: not place.limiter.healthy(), f"the kubelet hears of {part}")
        place.limiter.start(part)
        eventually(place.limiter.healthy, f"{part} is back")
        assert len(one.seen) == seen
    assert ask(one, "GET", "/free").status == 200
    eventually(lambda: ask(one, "GET", "/user", token=token).status == 200, "it counts again")
