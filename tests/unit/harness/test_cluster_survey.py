"""What an earlier run left is recognised, whatever it is; nothing of it is a reason to fail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.survey import Action, Node, Record, judge, moment, node_ready, unsettled

START = datetime(2026, 1, 1, 12, 0, 0, 500000, tzinfo=UTC)
BEFORE, AFTER = "2026-01-01T11:59:59Z", "2026-01-01T12:00:00Z"
STARTED = {"here": START, "there": START - timedelta(hours=1)}
MADE = Record("key", "/here", {"demo-control-plane": "172.18.0.2"})


def node(status: str = "running", name: str = "demo-control-plane") -> Node:
    return Node(name, status, START)


@pytest.mark.parametrize(
    ("found", "record", "action", "reason"),
    [
        pytest.param([], None, Action.CREATE, "", id="nothing"),
        pytest.param([node()], MADE, Action.KEEP, "", id="running"),
        pytest.param([node("exited")], MADE, Action.START, "demo-control-plane is exited", id="stopped"),
        pytest.param([node("paused")], MADE, Action.START, "demo-control-plane is paused", id="paused"),
        pytest.param([node()], None, Action.REMAKE, "interrupted", id="half-made"),
        pytest.param([], MADE, Action.REMAKE, "demo-control-plane is gone", id="removed by hand"),
        pytest.param([node()], Record("other", "/here", MADE.nodes), Action.REMAKE, "another version", id="version"),
        pytest.param([node()], Record("other", "/there", MADE.nodes), Action.REMAKE, "/there", id="checkout"),
    ],
)
def test_what_was_left_decides(found: list[Node], record: Record | None, action: Action, reason: str) -> None:
    verdict = judge(found, record, MADE)
    assert verdict.action is action
    assert reason in verdict.reason


def test_another_checkout_of_the_same_content_is_kept() -> None:
    assert judge([node()], Record("key", "/there", MADE.nodes), MADE).action is Action.KEEP


def test_another_number_of_nodes_is_remade() -> None:
    two = Record("key", "/here", {**MADE.nodes, "demo-worker": "172.18.0.3"})
    verdict = judge([node()], MADE, two)
    assert verdict.action is Action.REMAKE
    assert "1 node(s) and 2 are asked for" in verdict.reason


def test_a_record_comes_back_as_written(tmp_path: Path) -> None:
    MADE.write(tmp_path / "cluster.json")
    assert Record.read(tmp_path / "cluster.json") == MADE


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fingerprint": "x"}', "3"])
def test_an_unreadable_record_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "cluster.json").write_text(text)
    assert Record.read(tmp_path / "cluster.json") is None
    assert Record.read(tmp_path / "absent.json") is None


def pod(ready: str, started: str | None, phase: str = "Running", node: str = "here") -> dict[str, Any]:
    state = {"running": {"startedAt": started}} if started else {"waiting": {}}
    return {
        "metadata": {"namespace": "kube-system", "name": "dns"},
        "spec": {"nodeName": node},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": ready}],
            "containerStatuses": [{"state": state}],
        },
    }


def test_a_pod_counts_when_it_is_ready_since_the_node_started() -> None:
    assert unsettled({"items": [pod("True", AFTER)]}, STARTED) == []


@pytest.mark.parametrize(
    "unready",
    [
        pytest.param(pod("False", AFTER), id="not ready"),
        pytest.param(pod("True", BEFORE), id="ready before the restart only"),
        pytest.param(pod("True", None), id="container not running"),
        pytest.param({"metadata": {"namespace": "kube-system", "name": "dns"}}, id="no status yet"),
    ],
)
def test_a_pod_that_is_not_ready_now_is_named(unready: dict[str, Any]) -> None:
    assert unsettled({"items": [unready]}, STARTED) == ["kube-system/dns"]


def test_a_pod_counts_since_the_start_of_its_own_node() -> None:
    assert unsettled({"items": [pod("True", BEFORE, node="there")]}, STARTED) == []
    assert unsettled({"items": [pod("True", AFTER, node="gone")]}, STARTED) == ["kube-system/dns"]


def test_a_finished_pod_is_not_waited_for() -> None:
    assert unsettled({"items": [pod("False", None, phase="Succeeded")]}, STARTED) == []


@pytest.mark.parametrize(
    ("status", "heartbeat", "expected"),
    [("True", AFTER, True), ("True", BEFORE, False), ("False", AFTER, False), ("Unknown", AFTER, False)],
)
def test_a_node_is_ready_by_word_of_a_kubelet_that_runs_now(status: str, heartbeat: str, expected: bool) -> None:
    condition = {"type": "Ready", "status": status, "lastHeartbeatTime": heartbeat}
    found = {"metadata": {"name": "here"}, "status": {"conditions": [condition]}}
    assert node_ready(found, STARTED) is expected
    assert not node_ready({**found, "metadata": {"name": "gone"}}, STARTED)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [("2026-01-01T12:00:00Z", 0), ("2026-01-01T12:00:00.5Z", 500000), ("2026-01-01T12:00:00.123456789Z", 123456)],
)
def test_timestamps_of_kubernetes_and_docker(text: str, microsecond: int) -> None:
    assert moment(text) == START.replace(microsecond=microsecond)
