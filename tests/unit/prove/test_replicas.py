"""One leak is a leak: at whichever replica, from whichever replica, and however rarely."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from copy import deepcopy
from typing import Any, cast

import pytest

from garrison.derive import render
from garrison.manifest import Manifest
from garrison.model.graph import Graph
from garrison.prove.expect.expected import expected
from garrison.prove.judge import report
from garrison.prove.judge.verdict import leaked, worst
from garrison.prove.look import execute
from garrison.prove.look.execute import Runner
from garrison.prove.look.phases import believed, controls_of
from garrison.prove.look.pods import where
from garrison.prove.look.replicas import distinct
from garrison.prove.look.session import Session
from garrison.prove.look.world import Place, World
from garrison.prove.model import FREE, Connect, Kind, Layer, Party, Probe, Result, Seen
from garrison.words import Ref
from prober.batch import run

ORDERS, CATALOG = Party("service", "shop", "orders"), Party("service", "shop", "catalog")
REFUSED: frozenset[Layer] = frozenset({"workload"})


def probe(layers: frozenset[Layer] = REFUSED, port: int = 1) -> Probe:
    return Probe(ORDERS, CATALOG, port, Kind.APPLICATION_PORT, Connect(), layers)


# --- how rarely ------------------------------------------------------------------------------------------------------

Answer = Callable[[Probe, int], Seen]


def asking(answer: Answer) -> Callable[[Sequence[Probe]], list[Result]]:
    """A cluster whose answer depends on how often it was asked."""
    asked: dict[Probe, int] = {}

    def run(some: Sequence[Probe]) -> list[Result]:
        for one in some:
            asked[one] = asked.get(one, 0) + 1
        return [Result(one, answer(one, asked[one])) for one in some]

    return run


@pytest.mark.parametrize("first", [Seen("allowed"), Seen("refused", "identity"), Seen("refused", "authorization")])
def test_what_leaks_once_has_leaked(first: Seen) -> None:
    network = probe(frozenset({"network"}))
    (found,) = believed([network], [], asking(lambda _, times: first if times == 1 else Seen("refused", "network")))
    assert not found.ok
    assert found.seen == first


@pytest.mark.parametrize("first", [Seen("error"), Seen("refused", "workload")])
def test_what_was_not_carried_out_or_stopped_too_early_is_looked_at_again_and_may_then_leak(first: Seen) -> None:
    network = probe(frozenset({"network"}))
    (found,) = believed([network], [], asking(lambda _, times: first if times == 1 else Seen("refused", "network")))
    assert found.ok, "control: a lost pod is no leak"
    (found,) = believed([network], [], asking(lambda _, times: first if times == 1 else Seen("allowed")))
    assert leaked(found)


def test_convergence_is_waited_for_on_the_controls_alone() -> None:
    control, network = probe(frozenset()), probe(frozenset({"network"}))
    rounds: list[list[Probe]] = []
    late = asking(lambda one, times: Seen("allowed") if one == network or times > 3 else Seen("refused", "network"))

    def run(some: Sequence[Probe]) -> list[Result]:
        rounds.append(list(some))
        return late(some)

    found = believed([control, network], [control], run)
    assert [result.ok for result in found] == [True, False]
    assert rounds == [[control]] * 4 + [[control, network]], "the refusal was asked for once, after the controls"


def test_a_control_that_never_passes_is_reported_after_a_bounded_time() -> None:
    control = probe(frozenset())
    (found,) = believed([control], [control], asking(lambda *_: Seen("refused", "network")), patience=0)
    assert not found.ok


def test_controls_are_what_must_pass_and_refusals_between_pods_of_the_runs_own(graph: Graph) -> None:
    everything = expected(graph)
    for one in controls_of(everything, everything):
        own = one.target == FREE or one.target.role == "stray" or one.phase == "identity open"
        assert not one.layers or own, f"{one}: what the estate refuses is never asked until it does"
    for source in {one.source for one in everything if one.source.role in ("service", "database", "stray")}:
        mine = [one for one in everything if one.source == source and one.target == CATALOG]
        assert not mine or [one for one in controls_of(everything, mine) if one.target == FREE and one.layers]


# --- at which replica ------------------------------------------------------------------------------------------------


@pytest.fixture
def port() -> Iterator[int]:
    """Open at the second replica alone."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.2", 0)))
        yield int(listener.getsockname()[1])


def session(graph: Graph, copies: int = 1) -> Session:
    made = Session(cast("Any", None), graph, "prober", lambda line: None)
    made.replicas[ORDERS, ""] = copies
    return made


def world(graph: Graph, *places: Place) -> World:
    return World(graph, {CATALOG: places})


def here(monkeypatch: pytest.MonkeyPatch, reach: Callable[[str], bool] = lambda pod: True) -> None:
    """The probe tool in this process, and really; pods that `reach` nothing see no answer."""

    def tool(_: object, pod: Ref, attempts: Sequence[dict[str, Any]], timeout: float) -> list[dict[str, Any]]:
        if reach(pod.name):
            return run(attempts, timeout)
        silent = {"stage": "none", "error": "refused", "status": 0, "body": "", "peer": ""}
        return [dict(silent) for _ in attempts]

    monkeypatch.setattr(execute, "tool", tool)


A, B, C = Place("127.0.0.1", "catalog-a"), Place("127.0.0.2", "catalog-b"), Place("127.0.0.3", "catalog-c")


def test_one_of_two_replicas_that_lets_in_is_red(graph: Graph, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch)
    runner = Runner(session(graph), 1.0)
    (good,) = runner.run([probe(port=port)], world(graph, A, C))
    assert good.ok, "control: two replicas that refuse"
    assert good.seen.looks == 2
    for places in ((A, B), (B, A)):
        (found,) = runner.run([probe(port=port)], world(graph, *places))
        assert leaked(found)
        assert "catalog-b" in report.sentence(found)
        assert report.exit_code([found]) == 1


def test_one_of_two_replicas_that_gets_through_is_red(graph: Graph, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    second = where(ORDERS, "", "", 1).name
    here(monkeypatch, lambda pod: pod == second)
    one = probe(port=port)
    assert Runner(session(graph, 1), 1.0).run([one], world(graph, B))[0].ok, "control: the first does not get through"
    (found,) = Runner(session(graph, 2), 1.0).run([one], world(graph, B))
    assert leaked(found)
    assert second in report.sentence(found)


def test_a_replica_that_is_not_reached_makes_a_declared_call_red(
    graph: Graph, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch)
    declared = probe(frozenset(), port)
    assert Runner(session(graph), 1.0).run([declared], world(graph, B))[0].ok, "control"
    assert not Runner(session(graph), 1.0).run([declared], world(graph, B, A))[0].ok


def test_the_worst_counts_and_a_leak_is_worse_than_an_error() -> None:
    network = probe(frozenset({"network"}))
    ok, error, leak = Seen("refused", "network"), Seen("error"), Seen("allowed")
    assert worst(network, [ok, error, leak]).verdict == "allowed"
    assert worst(network, [ok, error]).verdict == "error"
    assert worst(network, [ok, ok]) == Seen("refused", "network", looks=2)


def test_the_matrix_has_one_row_and_one_column_for_all_replicas(graph: Graph) -> None:
    results = [Result(p, Seen(p.expected, next(iter(p.layers), None), looks=4)) for p in expected(graph)]
    shown = report.COLUMNS
    pairs = {(r.probe.source, r.probe.target) for r in results if r.probe.target.role in shown}
    assert set(report.matrix(results)) == pairs
    assert report.summary(results, "r", 1)["attempts"] == 4 * len(results)


# --- from which replica ----------------------------------------------------------------------------------------------


def deployment(graph: Graph) -> Manifest:
    (found,) = (m for m in render(graph) if m["kind"] == "Deployment" and m["metadata"]["name"] == "catalog")
    return found


def replica(owner: Manifest, name: str, node: str, **labels: str) -> Manifest:
    template = deepcopy(owner["spec"]["template"])
    spec = {**template["spec"], "nodeName": node, "hostname": name}
    return {"metadata": {"name": name, "labels": {**template["metadata"]["labels"], **labels}}, "spec": spec}


def test_each_replica_that_a_policy_could_tell_apart_speaks_for_itself(graph: Graph) -> None:
    owner = deployment(graph)
    one, same = (replica(owner, name, "n1", **{"pod-template-hash": "7"}) for name in "ab")
    assert len(distinct(owner, [one, same])) == 1
    assert len(distinct(owner, [one, replica(owner, "c", "n2")])) == 2
    assert len(distinct(owner, [one, replica(owner, "c", "n1", team="x")])) == 2
    assert distinct(owner, []) == [owner]
    (found,) = distinct(owner, [one])
    template = found["spec"]["template"]
    assert "pod-template-hash" not in template["metadata"]["labels"], (
        "or the ReplicaSet would take the clone for its own"
    )
    assert '"values": ["n1"]' in json.dumps(template["spec"]["affinity"])
    assert "nodeName" not in template["spec"]


def test_copies_of_a_party_have_names_of_their_own() -> None:
    assert len({where(ORDERS, "r", variant, i).name for variant in ("", "-open") for i in range(3)}) == 6


def test_what_is_still_closed_where_nothing_listens_is_looked_at_again() -> None:
    probe = Probe(ORDERS, CATALOG, 8080, Kind.APPLICATION_PORT, Connect(), frozenset({"workload"}), "network open")
    closed, reached = Seen("refused", "network", "no answer to TCP"), Seen("refused", "workload", "nothing listens")
    assert not leaked(Result(probe, closed))
    assert leaked(Result(probe, Seen("refused", "identity", "an alert")))
    answers = iter([closed, closed, reached])
    (found,) = believed([probe], [], lambda some: [Result(one, next(answers)) for one in some], patience=5)
    assert found.ok
