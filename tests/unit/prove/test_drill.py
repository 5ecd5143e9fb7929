"""The drill's pure parts: what is put back is what was there, and every finding has to be noticed everywhere."""

from __future__ import annotations

import json
from dataclasses import replace

from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.drill import findings as drilled
from garrison.prove.drill import keep
from garrison.prove.drill.findings import Finding
from garrison.prove.expect.expected import expected
from garrison.prove.judge.verdict import gave_way
from garrison.prove.kubectl import MANAGER
from garrison.prove.model import Probe, Result, Seen

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
    assert "1 of 2 noticed" in drilled.as_table(findings, run="r", seconds=1)
