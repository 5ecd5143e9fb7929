"""The derived edge under load while it is changed: no request fails, and what is wrong changes nothing.

Load comes from h2load, over HTTP/2 and HTTP/1.1, at four routes: a public one, one for users, one with a contract and
a body, and one whose callee comes and goes. Meanwhile the mounted folders are exchanged as the kubelet does it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from garrison import App, Rate
from garrison import defaults as d
from garrison.derive.tokens import at_host
from harness.loadtools import Load, h2load
from servers.backends import answering
from servers.edges import CLUSTER, Edge, ask, mount, stand
from servers.issuing import Signer
from servers.proxies import eventually
from unit.edges import API
from unit.estates import DIGEST, IMAGES

REQUESTS, CHANGES = 50_000, 20
FOREIGN = "https://id.example/realm"
ROUTE, CALLEE, KEYS, CONTRACT, RULE = KINDS = ("route", "callee", "keys", "contract", "rule")
DOCUMENT = json.loads((Path(__file__).parents[1] / "unit" / "edge-catalog.json").read_text())
JSON = {"content-type": "application/json"}
FREE = {
    f'"max_tokens":{d.ADDRESS_RATE[0]},"tokens_per_fill":{d.ADDRESS_RATE[0]}': (
        '"max_tokens":1000000,"tokens_per_fill":1000000'
    )
}


def estate(folder: Path, *more: str) -> App:
    """Four routes that are always there, and what each of KINDS adds to them or changes in them."""
    document = json.loads(json.dumps(DOCUMENT))
    if CONTRACT in more:
        body = document["paths"]["/items/search"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        body["properties"]["more"] = {"type": "string"}
    document["paths"]["/moved"] = document["paths"]["/items"]
    file = folder / f"catalog-{CONTRACT in more}.json"
    file.write_text(json.dumps(document))
    app = App("estate", trust_domain="estate.example", images=IMAGES)
    shop = app.namespace("shop")
    orders = shop.service("orders", image="x" + DIGEST, port=8080)
    payments = shop.service("payments", image="x" + DIGEST, port=8080)
    catalog = shop.service("catalog", image="x" + DIGEST, port=8080, openapi=file)
    users, api = app.users(), app.host(API)
    whom = users.group("customers") if RULE in more else users.anyone()
    orders.serves("GET /orders/{id}", at=api, to=whom, rate=Rate.per_second(10**6 - (RULE in more), per="user"))
    catalog.serves("GET /items", at=api, public="the catalogue is for everybody")
    catalog.serves("POST /items/search", at=api, public="as above")
    if ROUTE in more:
        orders.serves("GET /states", at=api, public="a test")
    (payments if CALLEE in more else catalog).serves("GET /moved", at=api, public="it moves")
    if CALLEE in more:
        payments.serves("GET /balance", at=api, public="a test")
    if KEYS in more:
        people = app.issuer(FOREIGN, audience="estate", jwks=f"{FOREIGN}/keys")
        orders.serves("GET /mine", at=api, to=people.anyone())
    return app


def in_force(edge: Edge, people: Signer, kind: str, there: bool) -> bool:
    """Whether a request sees that it is there, or that it is not."""
    if kind == ROUTE:
        return ask(edge, "GET", "/states").status == (200 if there else 404)
    if kind == CALLEE:
        return ask(edge, "GET", "/balance").status == (200 if there else 404)
    if kind == KEYS:
        return ask(edge, "GET", "/mine", token=people.token()).status == (200 if there else 404)
    if kind == CONTRACT:
        body = json.dumps({"text": "a", "more": "b"}).encode()
        return ask(edge, "POST", "/items/search", body=body, headers=JSON).status == (200 if there else 422)
    return ask(edge, "GET", "/orders/1", token=edge.token(groups=["others"])).status == (403 if there else 200)


@contextmanager
def loaded(edge: Edge) -> Iterator[list[Load]]:
    """Under load until the end of the block; what came of it grows meanwhile."""
    stop, found, errors = threading.Event(), list[Load](), list[Exception]()
    body = edge.folder / "body.json"
    body.write_text(json.dumps({"text": "x" * 100}))
    bearer = f"--header=authorization: Bearer {edge.token(exp=2**31)}"
    kinds = [
        partial(h2load, API, edge.port, "/items", requests=6_000, clients=2),
        partial(h2load, API, edge.port, "/moved", requests=3_000, clients=2),
        partial(h2load, API, edge.port, "/orders/1", requests=3_000, clients=4, flags=["--h1", bearer]),
        partial(
            h2load,
            API,
            edge.port,
            "/items/search",
            requests=1_500,
            clients=2,
            flags=[f"--data={body}", "--header=content-type: application/json"],
        ),
    ]

    def give(load: partial[Load]) -> None:
        try:
            while not stop.is_set():
                found.append(load())
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=give, args=(load,)) for load in kinds]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        stop.set()
        for thread in threads:
            thread.join(120)
    assert errors == []


def alerts(edge: Edge) -> list[str]:
    lines = [json.loads(line) for line in edge.said.read_text().splitlines() if line.startswith("{")]
    return [line["problem"] for line in lines if line["event"] == "alert"]


def is_told(edge: Edge, times: int) -> bool:
    return len(alerts(edge)) == times


def passed(loads: list[Load]) -> int:
    return sum(load.passed for load in loads)


def test_twenty_changes_of_every_kind_fail_no_request(tmp_path: Path) -> None:
    with stand(
        tmp_path, estate(tmp_path, *KINDS).graph(), FREE, services=partial(answering, tmp_path / "answer")
    ) as edge:
        (own,) = at_host(estate(tmp_path).graph(), CLUSTER, API)
        users, people = (Signer(issuer, "estate", edge.signers[API].keys) for issuer in (own.issuer, FOREIGN))
        edge.signers[API] = users
        there = set[str]()
        mount(edge, estate(tmp_path).graph())
        for kind in KINDS:
            eventually(partial(in_force, edge, people, kind, False), f"{kind} is not there")
        with loaded(edge) as loads:
            for turn in range(CHANGES):
                there ^= {KINDS[turn % len(KINDS)]}
                if turn % len(KINDS) == KINDS.index(KEYS):
                    people.rotate()  # at the issuers, too: both publish the same keys
                mount(edge, estate(tmp_path, *sorted(there)).graph())
                for kind in KINDS:
                    eventually(partial(in_force, edge, people, kind, kind in there), f"{kind}: {kind in there}", 60)
            wrong_files_change_nothing(edge, people, estate(tmp_path, *KINDS), there)
            eventually(lambda: passed(loads) >= REQUESTS, "there was load enough", 300)
        assert [load.said for load in loads if load.failed] == []
        assert edge.process is not None
        assert edge.process.poll() is None


def wrong_files_change_nothing(edge: Edge, people: Signer, app: App, there: set[str]) -> None:
    """One that is no JSON, one of another kind, one with a field that nobody knows: said in one line each."""
    name = "routes-api-estate-example.json"
    good = (edge.run / name).read_text()
    unknown = good.replace('"virtual_hosts"', '"unknown_field": 1, "virtual_hosts"', 1)
    told = len(alerts(edge))
    for number, text in enumerate(('{"resources": [', '{"resources": [{"@type": "nonsense"}]}', unknown), start=1):
        mount(edge, app.graph(), {name: text})
        eventually(partial(is_told, edge, told + number), "it is told", 60)
        for kind in KINDS:
            assert in_force(edge, people, kind, kind in there), kind
