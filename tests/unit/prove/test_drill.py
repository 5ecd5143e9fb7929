"""The drill's pure parts: what is put back is what was there, and every finding has to be noticed everywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.drill import drill as engine
from garrison.prove.drill import findings as drilled
from garrison.prove.drill import keep
from garrison.prove.drill.cuts import Cut
from garrison.prove.drill.drill import Drill
from garrison.prove.drill.findings import Finding
from garrison.prove.expect.expected import expected
from garrison.prove.judge.verdict import gave_way
from garrison.prove.kubectl import MANAGER
from garrison.prove.model import Probe, ProveError, Result, Seen

LIVE: Manifest = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {
        "name": "default-deny",
        "namespace": "shop",
        "labels": {"a": "b"},
        "uid": "1",
        "resourceVersion": "2",
        "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "managedFields": [
            {"manager": "kubectl-edit", "operation": "Update"},
            {"manager": "pulumi-kubernetes", "operation": "Apply"},
        ],
    },
    "spec": {"podSelector": {}},
    "status": {"x": "y"},
}
GOOD = Finding("NetworkPolicy shop/default-deny deleted", "network", "somebody got through", (), recovered=True)


def test_what_goes_back_is_what_somebody_wrote_under_the_name_of_who_applied_it() -> None:
    assert keep.bare(LIVE) == {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "default-deny", "namespace": "shop", "labels": {"a": "b"}},
        "spec": {"podSelector": {}},
    }
    assert LIVE["metadata"]["uid"] == "1"
    assert keep.manager(LIVE) == "pulumi-kubernetes"
    assert keep.manager({"metadata": {}}) == MANAGER
    assert keep.name(LIVE) == "NetworkPolicy shop/default-deny"


def test_a_drill_passes_only_when_noticed_everywhere_and_recovered() -> None:
    assert GOOD.ok
    assert GOOD.verdict == "noticed"
    for bad, verdict in (
        (replace(GOOD, noticed=""), "MISSED"),
        (replace(GOOD, missed=("shop/orders",)), "MISSED at shop/orders"),
        (replace(GOOD, recovered=False), "NOT RECOVERED"),
        (replace(GOOD, noticed="", error="a probe deviates"), "NOT MADE"),
    ):
        assert not bad.ok
        assert bad.verdict == verdict


def test_a_cut_is_noticed_by_probes_that_get_further_not_by_pods_that_stop(graph: Graph) -> None:
    network = next(p for p in expected(graph) if p.layers == {"network"})
    identity = next(p for p in expected(graph) if p.layers == {"identity"})
    declared = next(p for p in expected(graph) if not p.layers)
    noticed: list[tuple[Probe, Seen]] = [
        (network, Seen("allowed")),
        (network, Seen("refused", "identity")),
        (identity, Seen("refused", "authorization")),
        (declared, Seen("refused", "network")),
    ]
    assert all(gave_way(Result(probe, seen)) for probe, seen in noticed)
    not_noticed: list[tuple[Probe, Seen]] = [
        (network, Seen("error")),
        (network, Seen("refused", "network")),
        (network, Seen("refused", "workload")),
        (identity, Seen("refused", "network")),
        (identity, Seen("refused", "workload")),
        (declared, Seen("error")),
    ]
    assert not any(gave_way(Result(probe, seen)) for probe, seen in not_noticed)


def test_both_reports_name_what_was_missed() -> None:
    findings = [GOOD, replace(GOOD, what="quota", noticed="")]
    found = json.loads(drilled.as_json(findings, run="r", seconds=1))
    assert found["report"] == "drill"
    assert found["summary"]["deviations"] == ["quota: MISSED"]
    assert [row["ok"] for row in found["probes"]] == [True, False]
    assert drilled.as_table(findings, run="r", seconds=1).endswith("run r: 1 of 2 noticed and put back in 1 s\n")


def test_what_no_probe_can_notice_is_told_and_is_no_deviation() -> None:
    findings = [GOOD, replace(GOOD, what="edge without issuer", noticed="", tried=False)]
    summary = json.loads(drilled.as_json(findings, run="r", seconds=1))["summary"]
    assert (summary["ok"], summary["untried"]) == (True, ["edge without issuer"])
    told = drilled.as_table(findings, run="r", seconds=1)
    assert "edge without issuer                      not tried: no probe of this run can notice it" in told
    assert told.endswith("run r: 1 of 1 noticed and put back in 1 s; 1 not tried\n")


# --- the drill itself, with a session that is played ------------------------------------------------------------------


@dataclass
class Played:
    """A cluster on which probes are as declared until a cut is made; a cut that `spoils` leaves them wrong."""

    broken: bool = False
    said: list[str] = field(default_factory=list)

    def drill(self) -> Drill:
        session: Any = SimpleNamespace(say=self.said.append, issues_foreign=True, anew=lambda *_: None)
        session.world = lambda *_: None
        runner = SimpleNamespace(run=self.run)
        change: Any = SimpleNamespace(session=session, runner=runner, admin=None, made=self.made)
        return Drill(change)

    def run(self, probes: Sequence[Probe], _world: object) -> list[Result]:
        seen = Seen("allowed") if self.broken else Seen("refused", "network")
        return [Result(probe, seen) for probe in probes]

    @contextmanager
    def made(self, cut: Cut) -> Iterator[None]:
        self.broken = True
        yield
        self.broken = cut.what == "spoils"


def cut(what: str, affected: Callable[[Probe], bool] = lambda _: True) -> Cut:
    return Cut(what, "network", affected, (), ())


@pytest.fixture
def probes(graph: Graph) -> list[Probe]:
    return [next(p for p in expected(graph) if p.layers == {"network"})]


def test_a_cut_that_no_probe_can_notice_does_not_end_the_drill(probes: list[Probe]) -> None:
    played = Played()
    found = played.drill().run(probes, [cut("one"), cut("blind", lambda _: False), cut("two")])
    assert [(one.what, one.verdict) for one in found] == [
        ("one", "noticed"),
        ("blind", "not tried"),
        ("two", "noticed"),
    ]
    assert "drill 2 of 3: not tried" in played.said
    with pytest.raises(ProveError, match="nothing to drill"):
        played.drill().run(probes, [cut("blind", lambda _: False)])


def test_what_is_wrong_before_a_cut_ends_the_drill_and_loses_nothing(
    probes: list[Probe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "RECOVERY_SECONDS", 0.0)
    found = Played().drill().run(probes, [cut("one"), cut("spoils"), cut("three"), cut("four")])
    assert [(one.what, one.verdict) for one in found] == [
        ("one", "noticed"),
        ("spoils", "NOT RECOVERED"),
        ("three", "NOT MADE"),
    ]
    assert "was allowed" in found[-1].error
