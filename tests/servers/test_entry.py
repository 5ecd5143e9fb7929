"""The proof at the edge, on real Envoys: what is derived lets pass and refuses as expected, and each cut is noticed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from garrison.derive.edge import files
from garrison.prove.drill.edge import BEHIND, WEAKNESSES, cut, without
from garrison.prove.expect.edge import behind, trials
from garrison.prove.judge.entry import probe_of
from garrison.prove.judge.report import sentence
from garrison.prove.judge.verdict import leaked
from garrison.prove.look.behind import Behind
from garrison.prove.look.entry import Entry
from garrison.prove.look.tickets import Forging, Keys
from garrison.prove.look.trail import checked
from garrison.prove.look.trying import Trying, possible
from garrison.prove.look.world import Place, Spec
from garrison.prove.model import Result
from garrison.prove.trials import Ticket, Trial, Try, Want
from prober.batch import run as batch
from servers import edges
from servers.entries import THERE, Bench, Issuer, estate, stand
from servers.proxies import eventually
from unit.edges import API, WWW, edge_app

GRAPH = estate()
ISSUER = Issuer(GRAPH)
TOKENS = Forging(ISSUER)
TRIALS, LEFT = possible(trials(GRAPH), TOKENS)
QUICK = [trial for trial in TRIALS if trial.kind != Try.LIMIT]
BEHIND_IT, _ = possible([trial for trial in behind(GRAPH) if trial.place == "sidecar"], TOKENS)  # it has its keys
TRIED = {trial.kind for trial in TRIALS}
ELSEWHERE = {  # what this bench has not: hosts at which browsers log in, a judge of inputs
    *(Try.NO_SESSION, Try.FALSE_SESSION, Try.OTHER_HOST),  # tried on an edge with a login, below
    *(Try.NOT_JSON, Try.CONTENT_TYPE, Try.BODY_SCHEMA, Try.PARAMETER),
    *(Try.AROUND, Try.NO_KEYS),  # a copy that gets no keys: on a cluster
    Try.TAKEN_BACK,  # opaque tokens: test_foreign_opaque.py
}


def tried(bench: Bench, chosen: Sequence[Trial]) -> tuple[list[Result], Trying]:
    trying = Trying(bench.entry, TOKENS)
    probes = [probe_of(trial, bench.entry.port) for trial in chosen]
    return [Result(probe, seen) for probe, seen in zip(probes, trying(probes), strict=True)], trying


def tried_behind(bench: Bench, chosen: Sequence[Trial]) -> list[Result]:
    folder = bench.identities / "edge"

    def tool(specs: Sequence[Spec]) -> list[dict[str, Any]]:
        own = {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")}
        return batch([{**one, "port": bench.sidecar, "tls": {**one["tls"], **own}} for one in specs], 5.0)

    probes = [probe_of(trial, bench.sidecar) for trial in chosen]
    seen = Behind(TOKENS, lambda _target, _astray: [Place("127.0.0.1")], tool)(probes)
    return [Result(probe, one) for probe, one in zip(probes, seen, strict=True)]


def telling(found: Sequence[Trial], name: str) -> list[Trial]:
    """Of what a cut concerns everything, of the rest one of each kind; of limits, which take long, those alone."""
    noticed, first = WEAKNESSES[name].noticed, {trial.kind: trial for trial in reversed(found)}
    rest = [trial for kind, trial in first.items() if kind not in noticed and kind != Try.LIMIT]
    return [*rest, *(trial for trial in found if trial.kind in noticed)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """One that has counted nothing yet: at one that has, trials wait as long as its limits ask."""
    with stand(tmp_path / "entry", GRAPH, issuer=ISSUER) as made:
        yield made


def test_everything_is_as_expected_and_no_refused_request_is_in_a_log_behind_the_edge(bench: Bench) -> None:
    assert not LEFT
    assert set(Try) - ELSEWHERE == TRIED
    results, trying = tried(bench, TRIALS)
    assert [sentence(result) for result in results if not result.ok] == []
    logs = checked(results, trying.sent, bench.logs[0].read_text, flush=0.2)
    assert [sentence(result) for result in logs if not result.ok] == []
    refused = {one.request_id for one in trying.sent if one.refused}
    assert len(refused) > 80
    assert not refused & set(bench.reached), "the service's own counter"
    assert {one.request_id for one in trying.sent if not one.trial.statuses} <= set(bench.reached)


def test_a_log_that_has_a_refused_request_is_a_deviation_and_one_without_what_passed_says_nothing(bench: Bench) -> None:
    chosen = [trial for trial in QUICK if trial.kind in (Try.WELL_FORMED, Try.NO_TOKEN)]
    results, trying = tried(bench, chosen)
    everything = "\n".join(one.request_id for one in trying.sent)
    wrong = checked(results, trying.sent, lambda: everything, flush=0, patience=0)
    assert {(r.probe.kind, r.seen.verdict) for r in wrong if not r.ok} == {(Try.NO_TOKEN, "allowed")}
    first = next(one.request_id for one in trying.sent if one.trial.kind == Try.NO_TOKEN)
    silent = checked(results, [one for one in trying.sent if one.request_id != first], lambda: "", flush=0, patience=0)
    assert {(r.probe.kind, r.seen.verdict) for r in silent if not r.ok} == {(Try.WELL_FORMED, "error")}


def test_the_same_tokens_at_the_sidecar(bench: Bench) -> None:
    results = tried_behind(bench, BEHIND_IT)
    assert [sentence(result) for result in results if not result.ok] == []
    assert len(results) > 80


@pytest.mark.parametrize("name", [name for name in WEAKNESSES if name != "contract"])
def test_each_cut_at_the_edge_turns_its_trials_red_and_no_other(tmp_path: Path, name: str) -> None:
    def change(texts: dict[str, Any]) -> dict[str, Any]:
        return {file: without(name, text) if file.startswith("edge ") else text for file, text in texts.items()}

    chosen = telling(TRIALS, name)
    with stand(tmp_path, GRAPH, change, ISSUER) as bench:
        results, _ = tried(bench, chosen)
    red = {result.probe.kind for result in results if not result.ok}
    assert red == WEAKNESSES[name].noticed & TRIED
    assert all(leaked(result) for result in results if not result.ok), "it got further than it may"
    assert {(r.probe.kind) for r in results if r.ok} & red == set(), "at every route"


@pytest.mark.parametrize("name", BEHIND)
def test_each_cut_at_a_sidecar_turns_its_trials_red_and_no_other(tmp_path: Path, name: str) -> None:
    def change(texts: dict[str, Any]) -> dict[str, Any]:
        return {file: without(name, text) if file.startswith("sidecar ") else text for file, text in texts.items()}

    chosen = telling(BEHIND_IT, name)
    with stand(tmp_path, GRAPH, change, ISSUER) as bench:
        results = tried_behind(bench, chosen)
    red = {result.probe.kind for result in results if not result.ok}
    assert red == WEAKNESSES[name].noticed & {trial.kind for trial in chosen}
    assert all(leaked(result) for result in results if not result.ok)


# --- contracts, on an edge with its agent ----------------------------------------------------------------------------


def at_documents() -> list[Trial]:
    public = [trial for trial in trials(edge_app().graph()) if trial.route.public and trial.host == API]
    return [trial for trial in public if trial.kind != Try.LIMIT]


def test_what_the_document_asks_for_is_tried_and_without_the_contract_it_is_noticed(tmp_path: Path) -> None:
    graph = edge_app().graph()
    with edges.stand(tmp_path, graph) as edge:
        entry = Entry("127.0.0.1", edge.port, tmp_path / "id" / "edge" / "ca.pem", 10.0, edges.CLUSTER.entrance.port)
        trying = Trying(entry, TOKENS)
        results = [Result(probe_of(trial, entry.port), trying.one(trial)) for trial in at_documents()]
        assert [sentence(result) for result in results if not result.ok] == []
        noticed = WEAKNESSES["contract"].noticed
        assert noticed <= {result.probe.kind for result in results}
        texts = {name: edge.moved(text) for name, text in files.dynamic(graph, edges.CLUSTER).items()}
        edges.mount(edge, graph, cut("contract", texts))
        probe = next(trial for trial in at_documents() if trial.kind == Try.BODY_SCHEMA)
        eventually(lambda: leaked(Result(probe_of(probe, entry.port), trying.one(probe))), "the cut is in force")
        after = [Result(probe_of(trial, entry.port), trying.one(trial)) for trial in at_documents()]
    assert {result.probe.kind for result in after if not result.ok} == noticed
    assert all(leaked(result) for result in after if not result.ok)


# --- where browsers log in -------------------------------------------------------------------------------------------


class Elsewhere:
    """A token of another host; what it says does not matter where no token counts."""

    def give(self, want: Want) -> Ticket:
        return Ticket(ISSUER.key.sign({"alg": "RS256"}, {"iss": want.host}), {})

    def keys(self, issuer: str) -> Keys:
        return ISSUER.keys(issuer)


def test_sessions_are_asked_for_and_without_the_token_rule_it_is_noticed(tmp_path: Path) -> None:
    graph = edge_app().graph()
    kinds = {Try.NO_SESSION, Try.FALSE_SESSION, Try.OTHER_HOST}
    chosen = [trial for trial in trials(graph) if trial.host == WWW and trial.kind in kinds]
    assert {trial.kind for trial in chosen} == kinds
    with edges.stand(tmp_path, graph) as edge:
        entry = Entry("127.0.0.1", edge.port, tmp_path / "id" / "edge" / "ca.pem", 10.0, edges.CLUSTER.entrance.port)
        trying = Trying(entry, Elsewhere())
        results = [Result(probe_of(trial, entry.port), trying.one(trial)) for trial in chosen]
        assert [sentence(result) for result in results if not result.ok] == []
        assert edge.seen == []
        texts = {name: edge.moved(text) for name, text in files.dynamic(graph, edges.CLUSTER).items()}
        edges.mount(edge, graph, cut("token rule", texts))
        probe = chosen[0]
        eventually(lambda: leaked(Result(probe_of(probe, entry.port), trying.one(probe))), "the cut is in force")
        after = [Result(probe_of(trial, entry.port), trying.one(trial)) for trial in chosen]
    assert [sentence(result) for result in after if not leaked(result)] == []


# --- the command -----------------------------------------------------------------------------------------------------


def prove(bench: Bench, folder: Path, *more: str, host: str = "127.0.0.1") -> subprocess.CompletedProcess[str]:
    (folder / "graph.json").write_text(GRAPH.to_json())
    (folder / "cluster.json").write_text(THERE.to_json())
    where = ["--app", str(folder / "graph.json"), "--edge", f"https://{host}:{bench.entry.port}"]
    where += ["--cluster", str(folder / "cluster.json")]
    command = [sys.executable, "-m", "garrison", "prove", *where, "--ca", str(bench.entry.ca_file), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_the_command_needs_an_address_the_graph_and_tokens_and_says_what_it_did_not_try(
    bench: Bench, tmp_path: Path
) -> None:
    wants = {trial.want for trial in QUICK if trial.want}
    good = [ISSUER.give(want).text for want in wants if want.flaw == Try.WELL_FORMED and not want.scope]
    given = {"good": good, Try.EXPIRED.value: [ISSUER.give(replace(w, flaw=Try.EXPIRED)).text for w in wants]}
    (tmp_path / "tokens.json").write_text(json.dumps({**given, "keys": {"people": {"keys": ISSUER.keys("")}}}))
    arguments = ("--tokens", str(tmp_path / "tokens.json"), "--source", "api.estate.example", "--format", "json")
    done = prove(bench, tmp_path, *arguments)
    found = json.loads(done.stdout)
    assert (done.returncode, found["summary"]["deviations"], found["summary"]["not_run"]) == (0, [], [])
    kinds = {row["kind"] for row in found["probes"]}
    assert {"expired token", "token with HS256 and the public key", "no token", "token without the group"} <= kinds
    untried = found["summary"]["not_tried"]
    assert any("token without an end" in line and "the issuer's key is needed" in line for line in untried)
    assert not {"token without an end", "token of a removed key"} & kinds


def test_without_a_token_nothing_that_needs_one_counts_as_refused(bench: Bench, tmp_path: Path) -> None:
    done = prove(bench, tmp_path, "--target", "shop/orders", "--format", "json")
    rows = json.loads(done.stdout)["probes"]
    assert {row["operation"] for row in rows} == {"GET /items"}, "the one route that is for everybody"
    assert [row["kind"] for row in rows if row["ok"] is False] == []
    assert json.loads(done.stdout)["summary"]["not_tried"]


def test_what_cannot_be_done_is_said_in_one_line(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text('{"good": ["a.b"]}')
    for more, said in (
        (("--tokens", str(tmp_path / "bad.json")), "a list of tokens"),
        (("--tokens", str(tmp_path / "none.json")), "none.json"),
        (("--drill",), "leave --edge out"),
        (("--source", "nobody"), "matches nothing"),
        (("--ca", str(tmp_path / "none.pem")), "there is no such file"),
    ):
        done = prove(bench, tmp_path, *more)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert said in done.stderr
    assert prove(bench, tmp_path, host="127.0.0.1/path").returncode == 2
