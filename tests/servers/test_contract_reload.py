"""New routes, clusters and contracts in place: no request is lost, and what is wrong changes nothing."""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from garrison.derive import contracts
from servers.entry import HOST, Entry, entry, estate
from servers.proxies import Application, eventually

ONE, BOTH = estate("catalog"), estate("catalog", "cover")


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[Entry]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with entry(tmp_path, ONE, server.server_address[1]) as made:
        yield made
    server.shutdown()
    server.server_close()


def compiled(graph: object = ONE) -> str:
    return contracts.data(graph)[contracts.FILE]  # type: ignore[arg-type]


def taken(edge: Entry, count: int) -> None:
    eventually(lambda: len(outcomes(edge, "taken")) == count, f"{count} states are taken: {edge.log('agent')}")


def outcomes(edge: Entry, outcome: str) -> list[dict[str, object]]:
    return [line for line in edge.lines("reload") if line["outcome"] == outcome]


def alerts(edge: Entry) -> list[str]:
    return [str(line["problem"]) for line in edge.lines("alert")]


def in_use(edge: Entry) -> set[str]:
    said = json.loads((edge.folder / "run" / "cds.json").read_text())
    return {row["name"] for row in said["resources"]}


def test_changes_under_load_lose_no_request(edge: Entry) -> None:
    """Ten times another cluster and other routes, while two clients ask without a pause."""
    stop, failed, passed = threading.Event(), list[int](), list[int]()

    def ask() -> None:
        line = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
        while not stop.is_set():
            line.request("GET", "/items", headers={"host": HOST})
            answer = line.getresponse()
            answer.read()
            (passed if answer.status == 200 else failed).append(answer.status)
        line.close()

    clients = [threading.Thread(target=ask) for _ in range(2)]
    for client in clients:
        client.start()
    for turn in range(10):
        edge.mount(edge.files(cluster=f"shop/turn-{turn}"), compiled(BOTH if turn % 2 else ONE))
        taken(edge, turn + 2)
        assert f"shop/turn-{turn}" in in_use(edge)
    stop.set()
    for client in clients:
        client.join(10)
    assert (failed, len(passed) > 100, alerts(edge)) == ([], True, [])


def test_a_request_whose_body_comes_slowly_outlives_the_change_of_its_route(edge: Entry) -> None:
    """Its route was chosen by its head, and names a cluster that the new routes do not."""
    edge.mount(edge.files(cluster="shop/before"), compiled(BOTH))
    taken(edge, 2)
    body = json.dumps({"reference": "order-1", "value": {"amount": 100, "currency": "EUR"}}).encode()
    line = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=20)
    line.putrequest("POST", "/quotes", skip_host=True)
    for name, value in {"host": HOST, "content-type": "application/json", "content-length": str(len(body))}.items():
        line.putheader(name, value)
    line.endheaders(body[:10])
    edge.mount(edge.files(cluster="shop/after"), compiled(BOTH))
    taken(edge, 3)
    line.send(body[10:])
    answer = line.getresponse()
    assert answer.status == 200, answer.read()
    line.close()


@pytest.mark.parametrize("name", ["cds.json", "rds.json"])
@pytest.mark.parametrize("text", ["{", "[]", '{"resources": [{"name": "x"}]}', "unknown field"])
def test_a_bad_file_changes_nothing_and_is_said_once(edge: Entry, name: str, text: str) -> None:
    files, before = edge.files(cluster="shop/bad"), in_use(edge)
    if text == "unknown field":
        text = files[name].replace('"name"', '"nobody_knows": 1, "name"', 1)
    edge.mount({**files, name: text}, compiled(BOTH))
    eventually(lambda: bool(alerts(edge)), f"it is said: {edge.log('agent')}")
    assert len(alerts(edge)) == 1, alerts(edge)
    assert in_use(edge) == before
    assert edge.ask("GET", "/items")[0] == 200
    assert edge.ask("GET", "/covers/cover-1")[0] == 404  # the contracts of that state are not used either
    edge.mount(edge.files(cluster="shop/good"), compiled(BOTH))
    taken(edge, 2)
    assert (in_use(edge) - before, edge.ask("GET", "/covers/cover-1")[0]) == ({"shop/good"}, 200)


def test_routes_wait_for_their_contracts(edge: Entry) -> None:
    """The kubelet brings the two mounts at two times."""
    edge.mount(edge.files(cluster="shop/next"), compiled(BOTH), only="etc")
    eventually(lambda: bool(outcomes(edge, "waiting")), "it waits")
    assert "shop/next" not in in_use(edge)
    edge.mount(edge.files(cluster="shop/next"), compiled(BOTH))
    taken(edge, 2)
    assert edge.ask("GET", "/covers/cover-1")[0] == 200


def test_an_agent_started_again_goes_on_with_the_last_good_state(edge: Entry) -> None:
    edge.mount({**edge.files(cluster="shop/bad"), "rds.json": "{"}, "{}")
    eventually(lambda: bool(alerts(edge)), "it is said")
    edge.processes[0].terminate()
    assert edge.processes[0].wait(10) == 0
    assert edge.lines("agent")[-1]["outcome"] == "stopped"
    edge.processes[0] = edge.start_agent()
    edge.processes.pop()
    eventually(lambda: edge.says("/ready") == 200, "it is ready with what the proxy has")
    assert edge.ask("GET", "/items")[0] == 200
    assert edge.ask("GET", "/items?limit=101")[0] == 422
