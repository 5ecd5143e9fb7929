"""The order in which a proxy sees a change, also where it takes its time to say what it has taken."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from garrison import defaults as d
from garrison_edge import reload
from garrison_edge.proxy import CLUSTER, ROUTES, State
from garrison_edge.reload import CLUSTERS, Reload

RDS, CDS = "http.edge.rds.edge", "cluster_manager.cds"


def clusters(*names: str) -> str:
    return json.dumps({"resources": [{"@type": CLUSTER, "name": name} for name in names]})


def routes(to: str) -> str:
    return json.dumps({"resources": [{"@type": ROUTES, "name": "edge", "to": to}]})


class Envoy:
    """Takes what lies in its folder whenever it is asked, unless it stands still just then."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.standing = folder, 0
        self.took: list[tuple[list[str], str]] = []

    async def state(self) -> State:
        if self.standing:
            self.standing -= 1
            raise TimeoutError
        said = {name: json.loads(reload.read(self.folder / name) or b"{}") for name in (CLUSTERS, "rds.json")}
        names = [row["name"] for row in said[CLUSTERS].get("resources", ())]
        (to,) = [row["to"] for row in said["rds.json"].get("resources", ())] or [""]
        if (names, to) not in self.took[-1:]:
            self.took.append((names, to))
        versions = {CDS: said[CLUSTERS].get("version_info", ""), RDS: said["rds.json"].get("version_info", "")}
        return State(versions, {})


@pytest.fixture
def envoy(tmp_path: Path) -> Envoy:
    made = Envoy(tmp_path / "run")
    made.folder.mkdir()
    return made


@pytest.fixture
def made(tmp_path: Path, envoy: Envoy) -> Reload:
    source = tmp_path / "etc"
    source.mkdir()
    return Reload(source, envoy.folder, source / "none", envoy, lambda _: None)


def mount(made: Reload, to: str) -> None:
    (made.source / CLUSTERS).write_text(clusters(to))
    (made.source / "rds.json").write_text(routes(to))


@pytest.mark.parametrize("standing", [0, 1, 3])
def test_a_proxy_that_takes_its_time_sees_the_same_order(
    made: Reload, envoy: Envoy, standing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old and new clusters, then the routes, and then the new clusters alone: at no time a route to none."""
    monkeypatch.setattr(reload, "GRACE", 0.0)
    mount(made, "a")
    asyncio.run(made.look())
    envoy.took.clear()
    envoy.standing = standing
    mount(made, "b")
    for _ in range(2):
        asyncio.run(made.look())
    assert envoy.took == [(["a"], "a"), (["a", "b"], "a"), (["a", "b"], "b"), (["b"], "b")]


def test_a_cluster_stays_as_long_as_a_request_to_it_may_last(made: Reload, envoy: Envoy) -> None:
    assert f"{reload.GRACE:.0f}s" == d.STREAM_DURATION
    clock = asyncio.new_event_loop()
    passed = 0.0
    clock.time = lambda: passed  # type: ignore[method-assign]
    there = {}
    for to, seconds in (("a", 0.0), ("b", 1.0), ("c", 30.0), ("b", 50.0), ("", 60.0), ("", 61.0), ("", 110.0)):
        passed = seconds
        if to:
            mount(made, to)
        clock.run_until_complete(made.look())
        there[seconds] = "".join(sorted(envoy.took[-1][0]))
    clock.close()
    assert there == {0.0: "a", 1.0: "ab", 30.0: "abc", 50.0: "abc", 60.0: "abc", 61.0: "bc", 110.0: "b"}


def test_a_state_that_came_too_late_is_tried_again(
    made: Reload, envoy: Envoy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reload, "TAKEN", 0.0)
    mount(made, "a")
    envoy.standing = 10**6
    asyncio.run(made.look())
    assert "does not answer" in capsys.readouterr().out
    assert not list(envoy.folder.glob("*.json"))
    envoy.standing = 0
    monkeypatch.setattr(reload, "TAKEN", 10.0)
    asyncio.run(made.look())
    assert envoy.took[-1] == (["a"], "a")
