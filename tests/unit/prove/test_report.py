"""Verdicts, reports and exit codes: nothing that was not seen is ever reported as proven."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from garrison.model.graph import Graph, Operation
from garrison.prove import command as prove
from garrison.prove.expect.expected import expected
from garrison.prove.judge import classify, report
from garrison.prove.judge.picture import as_svg
from garrison.prove.look.execute import knock, openest
from garrison.prove.look.finding import node_addresses
from garrison.prove.look.phases import settled
from garrison.prove.model import Connect, Lease, Probe, ProveError, Request, Result, Seen, StoreRequest, Verdict
from unit.estates import DIGEST, IMAGES, empty_app

KEYS = {"source", "target", "port", "operation", "kind", "expected", "observed", "layer", "ok"}
HTTP = Request(Operation("GET", "/"))


def as_declared(graph: Graph) -> list[Result]:
    return [Result(p, Seen(p.expected, next(iter(p.layers), None), "as declared")) for p in expected(graph)]


def wrong(result: Result, verdict: Verdict) -> Result:
    return replace(result, seen=Seen(verdict, None, "seen otherwise"))


def observation(stage: str, error: str = "", status: int = 0, body: str = "") -> dict[str, object]:
    return {"stage": stage, "error": error, "status": status, "body": body, "peer": ""}


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attempt", "seen", "verdict", "layer"),
    [
        (Connect(), observation("tcp"), "allowed", None),
        (Connect(), observation("none", "timeout"), "refused", "network"),
        (Connect(), observation("none", "icmp"), "refused", "network"),
        (Connect(), observation("none", "unreachable: No route to host"), "refused", "network"),
        (Connect(), observation("none", "refused"), "refused", "workload"),
        (Connect(), observation("none", "crash: KeyError('x')"), "error", None),
        (Connect(), observation("none", "something new"), "error", None),
        (HTTP, observation("http", status=404, body='{"title": "no such item"}'), "allowed", None),
        (HTTP, observation("http", status=403, body="RBAC: access denied"), "refused", "authorization"),
        (HTTP, observation("http", status=403, body='{"title": "not yours"}'), "allowed", None),
        (HTTP, observation("http", status=503, body="upstream connect error or ..."), "refused", "workload"),
        (HTTP, observation("tls", "alert: tlsv13_alert_certificate_required"), "refused", "identity"),
        (HTTP, observation("tcp", "closed"), "refused", "identity"),
        (HTTP, observation("tcp", "silence"), "error", None),
        (HTTP, observation("tcp", "server: it is nobody"), "error", None),
        (StoreRequest("r", "p", "a"), observation("login", "permission denied", 403), "refused", "store"),
        (StoreRequest("r", "p", "a"), observation("login", "Vault is sealed", 503), "error", None),
        (StoreRequest("r", "p", "a"), observation("store", status=403), "refused", "store"),
        (StoreRequest("r", "p", "a"), observation("store", status=200), "allowed", None),
        (StoreRequest("r", "p", "a"), observation("store", status=500), "error", None),
    ],
)
def test_observations_are_read_as(attempt: Connect, seen: dict[str, object], verdict: str, layer: str | None) -> None:
    found = classify.read(attempt, seen)
    assert (found.verdict, found.layer) == (verdict, layer)


def test_leases_are_refused_by_the_database_and_nothing_else(graph: Graph) -> None:
    lease = Lease(graph.uses[0], "log in again")
    gone = classify.read(lease, observation("sql", "28P01 password authentication failed"))
    assert (gone.verdict, gone.layer) == ("refused", "database")
    assert classify.read(lease, observation("sql")).verdict == "allowed"
    assert classify.read(lease, observation("sql", "53300 too many connections")).verdict == "error"
    assert classify.read(lease, observation("store", "no lease", 403)).layer == "store"


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ("57P01 terminating connection due to administrator command", "refused"),
        ("closed", "refused"),
        ("57014 canceling statement due to user request", "error"),
        ("silence", "error"),
    ],
)
def test_only_an_ended_session_is_the_end_of_an_open_one(graph: Graph, error: str, verdict: str) -> None:
    lease = Lease(graph.uses[0], "go on")
    found = classify.read(lease, observation("session", error))
    assert (found.verdict, found.layer) == (verdict, "database" if verdict == "refused" else None)
    assert classify.read(lease, observation("sql")).verdict == "allowed"


def test_only_the_copys_application_says_that_it_heard_no_claim() -> None:
    claims = Request(Operation("GET", "/"), credential="own", claims=True)
    none = classify.read(claims, observation("http", status=200, body='{"prober": "here", "heard": []}'))
    assert (none.verdict, none.layer) == ("refused", "authorization")
    some = classify.read(claims, observation("http", status=200, body='{"heard": ["host", "x-original-url"]}'))
    assert (some.verdict, some.reason) == ("allowed", "the application heard host, x-original-url")
    for body in ("RBAC: access denied", '{"title": "no such item"}', "[]", ""):
        assert classify.read(claims, observation("http", status=403, body=body)).verdict == "error"
    assert classify.read(claims, observation("tls", "closed")).verdict == "error"
    assert classify.read(claims, observation("none", "timeout")).layer == "network"


def test_a_session_is_refused_only_by_a_whole_handshake() -> None:
    resumed = Request(Operation("GET", "/"), credential="own", resumed=True)
    whole = classify.read(resumed, observation("tls", "whole handshake", 200))
    assert (whole.verdict, whole.layer) == ("refused", "identity")
    assert classify.read(resumed, observation("http", status=200)).verdict == "allowed"
    assert classify.read(resumed, observation("tls", "alert: tlsv13_alert_certificate_required")).verdict == "error"


def test_a_failed_hop_of_the_callers_proxy_is_told_by_its_reason() -> None:
    hop = Request(Operation("GET", "/"), tls=False, through_proxy=True)
    down = observation("http", status=503, body="upstream connect error ... reset reason: connection timeout")
    bad = observation("http", status=503, body="upstream connect error ... transport failure reason: TLS_error:|...")
    assert classify.read(hop, down).layer == "network"
    assert classify.read(hop, bad).layer == "identity"


# --- reporting -------------------------------------------------------------------------------------------------------


def test_json_is_one_object_with_exactly_the_promised_keys(graph: Graph) -> None:
    found = json.loads(report.as_json(as_declared(graph), run="r", seconds=1.0))
    assert set(found) == {"report", "probes", "summary"}
    assert found["report"] == "prove"
    assert all(set(row) == KEYS for row in found["probes"])
    assert found["summary"]["ok"] is True
    assert found["summary"]["probes"] == len(found["probes"]) == len(expected(graph))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "said", "yes"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),  # empty is not set: no-color.org
        (Terminal(), {"NO_COLOR": "0"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_a_terminal_is_coloured_unless_its_user_says_no(stream: io.StringIO, said: dict[str, str], yes: bool) -> None:
    assert report.coloured(stream, said) is yes


@pytest.mark.parametrize(("verdict", "code"), [("refused", 1), ("allowed", 1), ("error", 2)])
def test_one_deviation_makes_the_whole_run_fail(verdict: Verdict, code: int, graph: Graph) -> None:
    good = as_declared(graph)
    assert report.exit_code(good) == 0
    index = next(i for i, r in enumerate(good) if r.probe.expected != verdict)
    bad = [*good[:index], wrong(good[index], verdict), *good[index + 1 :]]
    assert report.exit_code(bad) == code
    text = report.as_table(bad, seconds=1.0, colour=False)
    assert str(good[index].probe.source) in text.splitlines()[-1]


def test_a_refusal_by_another_layer_than_expected_is_a_deviation(graph: Graph) -> None:
    good = next(r for r in as_declared(graph) if r.probe.layers == {"network"})
    masked = replace(good, seen=Seen("refused", "identity", "the network let it through"))
    assert good.ok
    assert not masked.ok
    assert report.exit_code([masked]) == 1


def test_no_probes_prove_nothing() -> None:
    assert report.exit_code([]) == 2


def test_the_table_names_every_row_column_and_layer_it_uses(graph: Graph) -> None:
    text = report.as_table(as_declared(graph), seconds=1.0, colour=False)
    for name in (
        "shop/orders",
        "undeclared pod in bank",
        "undeclared namespace",
        "outside",
        "openbao/openbao",
        "N  network",
    ):
        assert name in text
    assert "\033" not in text
    assert "\033" in report.as_table(as_declared(graph), seconds=1.0, colour=True)


@pytest.mark.parametrize("bind", ["loopback", "all"])
def test_matrix_and_picture_name_what_has_one_layer_less(bind: Any) -> None:
    app = empty_app()
    home = app.namespace("shop")
    nats = home.service("nats", image="x" + DIGEST, port=4222, protocol="tcp", bind=bind)
    home.service("orders", image="x" + DIGEST, port=8080).connects(nats)
    results = as_declared(app.graph())
    said = "N alone keeps others from its port: shop/nats"
    shown = report.as_table(results, seconds=1, colour=False), as_svg(results, "estate")
    assert [said in text for text in shown] == [bind == "all"] * 2


def test_a_host_outside_is_a_column_with_who_may_call_it() -> None:
    app = empty_app()
    payments = app.namespace("bank").service("payments", image="x" + DIGEST, port=8080)
    app.namespace("shop").service("orders", image="x" + DIGEST, port=8080)
    payments.calls(app.external("api.psp.example"), "POST /charges")
    payments.reads("psp/api-key")
    cells = report.matrix(as_declared(app.graph()))
    found = {str(source): cell.text for (source, target), cell in cells.items() if str(target) == "api.psp.example"}
    assert (found["bank/payments"], found["shop/orders"]) == ("✔ 1 NIA", "✕ NI")
    columns = [str(column) for column in report.axes(cells)[1]]
    assert columns.index("shop/orders") < columns.index("api.psp.example") < columns.index("openbao/openbao")


def test_the_picture_is_well_formed_and_names_both_ends(graph: Graph) -> None:
    root = ElementTree.fromstring(as_svg(as_declared(graph), 'a "title" & more'))
    texts = {element.text for element in root.iter() if element.text}
    assert {"shop/orders", "bank/ledger", "outside"} <= texts


# --- running ---------------------------------------------------------------------------------------------------------


def test_a_run_settles_as_soon_as_everything_is_as_declared(graph: Graph) -> None:
    probes = expected(graph, layers=False)[:3]
    rounds: list[int] = []

    def slow(some: Sequence[Probe]) -> list[Result]:
        rounds.append(len(some))
        good = [Result(p, Seen(p.expected, next(iter(p.layers), None))) for p in some]
        return good if len(rounds) > 1 else [wrong(good[0], "error"), *good[1:]]

    assert all(r.ok for r in settled(probes, slow, patience=30))
    assert rounds == [3, 1]


def test_a_deviation_that_stays_is_reported(graph: Graph) -> None:
    probes = expected(graph, layers=False)[:3]
    found = settled(probes, lambda some: [Result(p, Seen("error")) for p in some], patience=0)
    assert [r.seen.verdict for r in found] == ["error"] * 3


def test_one_open_node_is_enough() -> None:
    assert openest([Seen("refused", "network"), Seen("allowed"), Seen("error")]).verdict == "allowed"
    assert openest([Seen("refused", "network"), Seen("error")]).verdict == "error"
    assert openest([]).verdict == "error"


def test_only_node_addresses_are_tried_from_outside() -> None:
    addresses = [{"type": "InternalIP", "address": "192.0.2.1"}, {"type": "Hostname", "address": "node"}]
    assert node_addresses([{"status": {"addresses": addresses}}]) == ["192.0.2.1"]


def test_knocking_tells_an_open_port_from_a_closed_one() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert knock("127.0.0.1", port, 1).verdict == "allowed"
    assert knock("127.0.0.1", port, 1).verdict == "refused"


def options(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    prove.add_arguments(parser)
    return parser.parse_args(words)


UNREACHABLE = """\
apiVersion: v1
kind: Config
current-context: nowhere
clusters: [{name: nowhere, cluster: {server: "https://127.0.0.1:9"}}]
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
users: [{name: nobody, user: {}}]
"""


def test_an_unreachable_cluster_is_one_line_and_code_2(
    graph: Graph, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(UNREACHABLE)
    with pytest.raises(ProveError) as refused:
        prove.run(graph, options("--format", "json", "--kubeconfig", str(kubeconfig)))
    assert capsys.readouterr().out == ""
    assert len(refused.value.problems) == 1
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("words", [("--picture", "/no/such/folder/x.svg"), ("--source", "nobody")])
def test_what_must_fail_fails_before_the_cluster_is_asked(words: tuple[str, ...], graph: Graph) -> None:
    with pytest.raises(ProveError, match=words[1].removesuffix("/x.svg")):
        prove.run(graph, options(*words, "--kubeconfig", "/no/such/kubeconfig"))


def test_two_runs_on_one_cluster_do_not_mix() -> None:
    from garrison.prove.look.alone import alone

    with alone("a-cluster-of-this-test", "first"):
        with alone("another-cluster-of-this-test", "second"):
            pass
        with pytest.raises(ProveError, match="another run"), alone("a-cluster-of-this-test", "third"):
            pass
    with alone("a-cluster-of-this-test", "fourth") as before:
        assert before == "first", "the run that had it, not the one that was refused"


def test_a_program_without_services_has_nothing_to_prove() -> None:
    with pytest.raises(ProveError, match="declares no service"):
        prove.run(Graph("none", "none.example", images=tuple(IMAGES.items())), options())


def test_a_pattern_that_matches_nothing_is_refused(graph: Graph) -> None:
    probes = expected(graph)
    assert {str(p.source) for p in prove.select(probes, "orders", None)} == {"shop/orders"}
    assert {str(p.target) for p in prove.select(probes, "shop/*", "bank/payments")} == {"bank/payments"}
    with pytest.raises(ProveError, match="'ordres' matches nothing"):
        prove.select(probes, "ordres", None)


@pytest.mark.parametrize("value", ["0", "-1", "1000", "soon"])
def test_a_senseless_timeout_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        options("--timeout", value)
    assert stop.value.code == 2
    assert "--timeout" in capsys.readouterr().err


def test_the_proxys_own_log_says_why_a_callee_was_not_reached() -> None:
    from garrison.prove.look.proxylog import details

    log = '[warning] starting\n{"request_id": "1", "detail": "{remote|TLS_error:...}"}\n{"request_id": "2", "de'
    assert details(log) == {"1": "{remote|TLS_error:...}"}


def test_names_of_any_length_fit_into_the_picture(graph: Graph) -> None:
    root = ElementTree.fromstring(as_svg(as_declared(graph), "title"))
    longest = max(len(str(source)) for source, _ in report.matrix(as_declared(graph)))
    label = next(e for e in root.iter() if e.get("text-anchor") == "end" and len(e.text or "") == longest)
    assert float(label.attrib["x"]) > 7 * longest
    assert as_svg([], "nothing").startswith("<svg")
