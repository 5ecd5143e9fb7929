"""A route that comes, changes and goes by `pulumi up`: no pod of the edge starts anew, and no request fails meanwhile.

The kubelet brings a changed ConfigMap to running pods about a minute later; until then the load goes on.
"""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster import live, live_pods
from cluster.estate import program_with, pulumi
from cluster.live import CLUSTER, eventually
from garrison import defaults as d
from garrison.derive.contract_filter import HEALTH_PORT
from harness import entrance, paths, visit
from harness.loadtools import Load, h2load

API = "api.estate.example"
PORT = entrance.PORTS.get(CLUSTER, 0)
BROUGHT = 180  # seconds
SECONDS, RATE = 10, 10  # of one load: half of what an address may ask of the catalogue
ROUTE = 'cover.serves("GET /healthz", at=api, {})'  # of a service that nothing else at the edge leads to


def pods() -> dict[str, list[int]]:
    """Each pod of the edge, and how often its containers were started again."""
    found = live.get("pods", "--namespace", d.EDGE.namespace, "--selector", f"{d.NAME}={d.EDGE.name}")["items"]
    kinds = ("initContainerStatuses", "containerStatuses")
    return {
        one["metadata"]["uid"]: [container["restartCount"] for kind in kinds for container in one["status"][kind]]
        for one in found
    }


def status(bundle: Path) -> int:
    with visit.connected(API, PORT, bundle) as line:
        made = http.client.HTTPSConnection(API, PORT)
        made.sock = line
        made.request("GET", "/healthz")
        return made.getresponse().status


@contextmanager
def loaded() -> Iterator[list[Load]]:
    """The catalogue is asked all the time, below the limit of an address."""
    stop, found, errors = threading.Event(), list[Load](), list[Exception]()

    def ask() -> None:
        try:
            while not stop.is_set():
                flags = [f"--rps={RATE}"]
                found.append(h2load(API, PORT, "/items", requests=SECONDS * RATE, clients=1, streams=1, flags=flags))
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join(60)
    assert errors == []


@pytest.fixture
def as_it_was(tmp_path: Path) -> Iterator[Path]:
    """A file that is there when the estate is as it was already: then nothing is to be done."""
    again = tmp_path / "as it was"
    yield again
    if not again.exists():
        pulumi("up", "--yes", "--skip-preview")


def test_a_route_comes_changes_and_goes_and_nobody_notices(tmp_path: Path, as_it_was: Path) -> None:
    bundle, before = visit.authorities(CLUSTER), pods()
    assert len(before) > 1
    assert status(bundle) == 404
    with loaded() as loads:
        for step, (route, wanted) in enumerate(
            ((ROUTE.format('public="a test"'), 200), (ROUTE.format("to=customers"), 401), ("", 404))
        ):
            folder = program_with(route, tmp_path / str(step)) if route else paths.REPO
            pulumi("up", "--yes", "--skip-preview", folder=folder)
            # each pod at its own time: what they say in turn is one thing only when all have it
            eventually(lambda wanted=wanted: {status(bundle) for _ in range(20)} == {wanted}, f"{wanted}", BROUGHT)  # type: ignore[misc]
            assert pods() == before
        as_it_was.touch()
    assert sum(load.failed for load in loads) == 0
    assert sum(load.passed for load in loads) >= 3 * SECONDS * RATE


def test_nobody_on_the_network_of_pods_can_send_an_edge_pod_away() -> None:
    """`/leave` is for the kubelet, which no policy stops; here only what is open to pods is tried, from one of them."""
    found = live.get("pods", "--namespace", d.EDGE.namespace, "--selector", f"{d.NAME}={d.EDGE.name}")["items"]
    caller = live.get("pods", "--namespace", "shop", "--selector", f"{d.NAME}=catalog")["items"][0]
    place = live_pods.inside("shop", caller["metadata"]["name"])
    for pod in found:
        address = pod["status"]["podIP"]
        assert place.connect(address, HEALTH_PORT) == "refused"
    assert live.get("pods", "--namespace", d.EDGE.namespace)["items"][0]["status"]["phase"] == "Running"
