"""Measuring, on a cluster in memory whose network enforces as much as it is told to: the verdict is just that."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from garrison import kube
from garrison.doctor import enforcement
from garrison.manifest import Manifest
from unit.verbs import verb

doctor = verb("doctor")
IMAGE = "registry.example/prober@sha256:" + "0" * 64
LIVE = ["--live", "--image", IMAGE, "--format", "json"]
CONFIG = {
    "contexts": [{"name": "x", "context": {}}],
    "clusters": [{"name": "staging", "cluster": {"server": "https://10.0.0.1:6443"}}],
}


@dataclass
class Network:
    """A cluster of which only the network differs: the directions it enforces, and for how long a new pod is open."""

    enforces: frozenset[str] = frozenset({"Ingress", "Egress"})
    connected: bool = True
    heals: bool = True
    speaks: bool = True
    loses: bool = False
    open_ms: int = 0
    pulls: bool = True
    interrupted_at: str = ""
    objects: dict[tuple[str, str], Manifest] = field(default_factory=dict)
    before: list[Manifest] = field(default_factory=list)
    ever: list[Manifest] = field(default_factory=list)
    refusals: int = 0

    def __call__(self, words: Sequence[str], *, stdin: str | None = None, timeout: float = 0) -> tuple[int, str, str]:
        joined = [word for word in words if not word.startswith("--") or word.startswith("--for")]
        if self.interrupted_at and self.interrupted_at in " ".join(joined):
            self.interrupted_at = ""
            signal.raise_signal(signal.SIGTERM)
        answer: tuple[int, str, str] = getattr(self, f"_{joined[0]}")(joined[1:], stdin or "")
        return answer

    def policies(self) -> list[Manifest]:
        return [item for (kind, _), item in self.objects.items() if kind == "NetworkPolicy"]

    def _config(self, what: list[str], stdin: str) -> tuple[int, str, str]:
        return 0, json.dumps(CONFIG), ""

    def _apply(self, what: list[str], stdin: str) -> tuple[int, str, str]:
        for item in json.loads(stdin)["items"]:
            self.ever.append(item)
            self.objects[item["kind"], item["metadata"]["name"]] = item
        return 0, "", ""

    def _get(self, what: list[str], stdin: str) -> tuple[int, str, str]:
        if what[0] == "namespaces":
            return 0, json.dumps({"items": self.before}), ""
        pod = self.objects["Pod", what[1]]
        waiting = {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}
        status = {"podIP": "10.244.0.9", "containerStatuses": [] if self.pulls else [{"state": waiting}]}
        return 0, json.dumps(pod | {"status": status, "spec": pod["spec"] | {"nodeName": "node-1"}}), ""

    def _wait(self, what: list[str], stdin: str) -> tuple[int, str, str]:
        return (0, "", "") if self.pulls else (1, "", "timed out waiting for the condition")

    def _exec(self, what: list[str], stdin: str) -> tuple[int, str, str]:
        attempts = json.loads(stdin)["attempts"]
        assert attempts == [{"action": "connect", "host": "10.244.0.9", "port": 8080}] * enforcement.TRIES
        held = [policy for policy in self.policies() if self.enforces & {*policy["spec"]["policyTypes"]}]
        self.refusals += bool(held)
        refused = held or not self.connected or (self.refusals and not self.heals)
        lost, answered = {"stage": "none", "error": "timeout"}, {"stage": "tcp", "error": ""}
        seen = [lost if refused else answered] * enforcement.TRIES
        if self.loses and self.policies():
            seen[0] = lost
        return 0, json.dumps({"observations": seen}), ""

    def _logs(self, what: list[str], stdin: str) -> tuple[int, str, str]:
        if what[0] == "control":
            assert not self.policies()
            return 0, json.dumps({"tries": 9, "answered": 9 * self.speaks, "open_ms": 990}), ""
        assert self.policies(), "a new pod is looked at while a policy is there"
        return 0, json.dumps({"tries": 99, "answered": 3, "open_ms": self.open_ms}), ""

    def _delete(self, what: list[str], stdin: str) -> tuple[int, str, str]:
        if what[0] == "networkpolicy":
            del self.objects["NetworkPolicy", what[1]]
        else:
            self.objects = {}
            self.before = [space for space in self.before if space["metadata"]["name"] != what[1]]
        return 0, "", ""


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(**choice: Any) -> Network:
        cluster = Network(**choice)
        monkeypatch.setattr(kube, "attempt", cluster)
        monkeypatch.setattr(enforcement, "TURN_SECONDS", 0.05)
        return cluster

    return use


@pytest.mark.parametrize(
    ("enforces", "verdict", "worst", "code"),
    [
        ({"Ingress", "Egress"}, "both", None, 0),
        ({"Ingress"}, "ingress only", "high", 1),
        ({"Egress"}, "egress only", "high", 1),
        (set(), "none", "critical", 1),
    ],
)
def test_the_verdict_is_what_the_network_does(
    on: Any,
    capsys: pytest.CaptureFixture[str],
    enforces: set[str],
    verdict: str,
    worst: str | None,
    code: int,
) -> None:
    cluster = on(enforces=frozenset(enforces))
    assert doctor(LIVE) == code
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert found["verdict"] == verdict
    assert [one["severity"] for one in found["findings"]] == ([worst] if worst else [])
    assert (found["measured"]["new_egress_ms"] is not None) is ("Egress" in enforces)
    assert (found["measured"]["new_ingress_ms"] is not None) is ("Ingress" in enforces)
    assert "measuring on cluster staging (https://10.0.0.1:6443)" in said.err
    assert cluster.objects == {}


def test_a_connection_that_got_lost_is_no_refusal(on: Any, capsys: pytest.CaptureFixture[str]) -> None:
    on(enforces=frozenset(), loses=True)
    assert doctor(LIVE) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "none"


def test_a_new_pod_that_is_open_is_found(on: Any, capsys: pytest.CaptureFixture[str]) -> None:
    on(open_ms=830)
    assert doctor(LIVE[:-2]) == 1
    said = capsys.readouterr().out
    assert "a new pod, egress      open for 830 ms" in said
    assert "a new pod is answered for 830 ms against a policy that was there before it" in said
    assert "network policies on staging: enforced both ways, and a new pod is open for 830 ms" in said


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"connected": False}, "two pods do not reach one another before any policy"),
        ({"heals": False}, "a pod is not reached again"),
        ({"speaks": False}, "a new pod is not answered before any policy"),
        ({"pulls": False}, "pod answers does not get there: answers: ErrImagePull no such image"),
    ],
)
def test_what_cannot_be_measured_is_no_verdict(
    on: Any, capsys: pytest.CaptureFixture[str], broken: Any, says: str
) -> None:
    cluster = on(**broken)
    assert doctor(LIVE) == 2
    said = capsys.readouterr()
    assert said.out == "" and says in said.err.splitlines()[-1]
    assert cluster.objects == {}


@pytest.mark.parametrize("where", ["apply", "wait", "exec", "logs", "delete networkpolicy"])
def test_whoever_interrupts_it_leaves_nothing(on: Any, capsys: pytest.CaptureFixture[str], where: str) -> None:
    cluster = on(interrupted_at=where)
    assert doctor(LIVE) == 130
    assert (cluster.objects == {} and cluster.ever) or where == "apply"


def test_all_that_is_made_is_in_a_namespace_of_its_own_and_hardened(on: Any) -> None:
    cluster = on()
    doctor(LIVE)
    space, *rest = cluster.ever
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {item["metadata"]["namespace"] for item in rest} == {space["metadata"]["name"]}
    pods = [item for item in rest if item["kind"] == "Pod"]
    assert len(pods) == 6
    for pod in pods:
        (container,) = pod["spec"]["containers"]
        assert container["image"] == IMAGE
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert pod["spec"]["automountServiceAccountToken"] is False


def test_what_a_killed_run_left_is_removed_and_what_another_run_uses_is_not(on: Any) -> None:
    def space(name: str, age: timedelta) -> Manifest:
        stamp = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"metadata": {"name": name, "creationTimestamp": stamp}}

    cluster = on(before=[space("old", timedelta(hours=2)), space("going", timedelta(minutes=3))])
    assert doctor(LIVE) == 0
    assert [one["metadata"]["name"] for one in cluster.before] == ["going"]


def test_without_an_image_nothing_is_started(
    on: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    cluster = on()
    assert doctor(["--live"]) == 2
    assert "no image of the probe tool: give --image" in capsys.readouterr().err
    assert cluster.ever == []
