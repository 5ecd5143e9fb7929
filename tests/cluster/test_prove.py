"""`garrison prove` on the deployed estate: it finds everything as declared, notices what is not, and leaves nothing."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from cluster.estate import NAMESPACES, in_estate, ready
from cluster.live import apply, eventually, get, kubectl
from cluster.proving import ONE_PAIR, leavings, prove, start
from garrison import defaults as d
from garrison.prove.look.opening import anywhere
from garrison.prove.look.pods import LABEL

KEYS = {"source", "target", "port", "operation", "kind", "expected", "observed", "layer", "ok"}
NOTHING = f"localhost:1/nothing@sha256:{'0' * 64}"
DATABASES = ("bank/ledger", "insurance/register", "shop/catalogue", "shop/orderbook")
LEASED = {"bank/payments", "bank/statement", "insurance/claims", "shop/catalog", "shop/orders"}


@cache
def _run() -> tuple[int, dict[str, Any], str]:
    ready()
    code, out, err = prove("--format=json")
    return code, json.loads(out), err


def whole() -> dict[str, Any]:
    """One full run, which several tests look at; one that failed is not made again."""
    code, found, err = _run()
    assert code == 0, "\n".join([*found["summary"]["deviations"], *found["summary"]["not_run"], err])
    return found


def probes(**wanted: object) -> list[dict[str, Any]]:
    return [p for p in whole()["probes"] if all(p[key] == value for key, value in wanted.items())]


def test_the_whole_run_is_as_declared_and_has_the_promised_shape() -> None:
    assert whole()["summary"]["ok"]
    assert all(set(probe) == KEYS for probe in whole()["probes"])
    assert all(probe["expected"] == probe["observed"] for probe in whole()["probes"])


def test_every_declared_call_passed() -> None:
    passed = {(p["source"], p["target"], p["operation"]) for p in probes(kind="declared operation", observed="allowed")}
    assert passed == {
        ("shop/orders", "shop/catalog", "GET /items/{id}"),
        ("shop/orders", "insurance/cover", "POST /quotes"),
        ("shop/orders", "bank/payments", "POST /charges"),
        ("bank/payments", "api.psp.example", "POST /v1/charges"),
        ("bank/payments", "api.psp.example", "POST /v1/refunds"),
        ("insurance/claims", "insurance/cover", "GET /covers/{id}"),
        ("insurance/claims", "bank/payments", "POST /refunds"),
        ("shop/storefront", "shop/cart", "POST /shop.Cart/Add"),
        ("shop/storefront", "shop/cart", "POST /shop.Cart/Get"),
        ("shop/orders", "shop/cart", "POST /shop.Cart/Get"),
        ("shop/orders", "shop/cart", "POST /shop.Cart/Clear"),
        ("shop/cart", "shop/redis", "connect"),
        ("shop/orders", "shop/nats", "connect"),
        ("shop/mailer", "shop/nats", "connect"),
    }


def test_from_an_image_on_every_address_the_network_alone_keeps_everybody_away() -> None:
    closed = probes(kind="application port", target="shop/nats")
    opened = probes(kind="identity alone: application port", target="shop/nats")
    assert {p["layer"] for p in closed} == {"network"}
    assert {p["observed"] for p in opened} == {"allowed"}, "the control: it was the network that refused"


def test_a_job_is_proven_by_a_pod_of_its_identity_while_it_does_not_run() -> None:
    leased = {p["operation"]: p["observed"] for p in probes(kind="leased credentials", source="bank/statement")}
    assert leased == {"log in as reader": "allowed"}
    assert {p["layer"] for p in probes(kind="expired lease", source="bank/statement")} == {"database"}
    assert {p["layer"] for p in probes(kind="identity alone: undeclared operation", source="bank/statement")} >= {
        "authorization"
    }
    assert [p for p in whole()["probes"] if p["target"] == "bank/statement"] == [], "nobody has anything to call there"


@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        ("undeclared operation", "authorization"),
        ("plaintext", "identity"),
        ("no certificate", "identity"),
        ("wrong trust domain", "identity"),
        ("wrong authority", "identity"),
        ("TLS 1.2", "identity"),
        ("application port", "workload"),
    ],
)
def test_each_refusal_is_seen_in_place_and_with_identity_alone(kind: str, layer: str) -> None:
    assert {p["layer"] for p in probes(kind=f"identity alone: {kind}") if p["target"].count("/")} >= {layer}
    inside = [p for p in probes(kind=kind) if not p["source"].endswith(".estate.example")]  # not through the edge
    at_services = [p for p in inside if p["target"] not in (*DATABASES, "openbao/openbao")]
    assert {p["layer"] for p in at_services} == {"network", layer} - {"workload"}, "nobody gets to another's loopback"


def test_the_network_alone_refuses_whom_identity_would_let_in() -> None:
    refused = probes(kind="network alone: undeclared operation", source="shop/catalog", target="bank/payments")
    assert [p["layer"] for p in refused] == ["network"] * len(refused) != []
    control = probes(kind="network alone: undeclared operation", source="shop/orders", target="bank/payments")
    assert {p["observed"] for p in control} == {"allowed"}


def test_secrets_and_leases() -> None:
    assert {p["observed"] for p in probes(kind="own secret")} == {"allowed"}
    assert {(p["source"], p["observed"]) for p in probes(kind="leased credentials")} == {(s, "allowed") for s in LEASED}
    assert {(p["source"], p["layer"]) for p in probes(kind="expired lease")} == {(s, "database") for s in LEASED}
    assert {p["layer"] for p in probes(kind="wrong audience")} == {"store"}
    stolen = probes(kind="identity alone: another's secret")
    without = {"insurance/cover", *(f"shop/{name}" for name in ("cart", "mailer", "nats", "redis", "storefront"))}
    assert {p["source"] for p in stolen} == without, "whoever needs nothing of the store does not reach it either"
    assert {p["source"] for p in probes(kind="another's secret", layer="store")} == LEASED
    assert {p["layer"] for p in stolen} == {"store"}


@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        ("another's identity", "admission"),
        ("signing request by hand", "admission"),
        ("resumed session", "identity"),
        ("claims beside the request", "authorization"),
        ("open session of an ended lease", "database"),
    ],
)
def test_the_side_doors_are_shut(kind: str, layer: str) -> None:
    assert {p["layer"] for p in probes(kind=kind)} == {layer}
    assert {p["observed"] for p in probes(kind="own identity")} == {"allowed"}, "the editor may ask"


def test_an_identity_of_nobody_ends_at_the_rule_and_over_tcp_in_the_handshake() -> None:
    shown = [p for p in probes(kind="identity alone: undeclared identity") if p["target"] != "api.psp.example"]
    tcp = ("shop/redis", "shop/nats")
    assert {p["layer"] for p in shown if p["target"] not in tcp} == {"authorization"}
    assert {p["layer"] for p in shown if p["target"] in tcp} == {"identity"}


@pytest.mark.parametrize(
    ("kind", "layer"),
    [
        ("undeclared operation", "authorization"),
        ("undeclared host", "identity"),
        ("plaintext", "identity"),
        ("wrong authority", "identity"),
        ("another host's certificate", "identity"),
    ],
)
def test_the_way_out_is_the_gateways_and_only_what_is_declared_takes_it(kind: str, layer: str) -> None:
    mine = probes(kind=kind, source="bank/payments", target="api.psp.example")
    assert {p["layer"] for p in mine} == {layer}
    others = [p for p in probes(kind=kind, target="api.psp.example") if p["source"] != "bank/payments"]
    assert {p["layer"] for p in others} <= {"network"}


def test_a_run_leaves_nothing() -> None:
    whole()
    assert leavings() == ""


def test_a_hole_in_the_network_is_a_deviation_and_exit_code_1() -> None:
    assert prove(*ONE_PAIR, "--no-layers")[0] == 0
    # as narrow as one that lets anybody through to the proxy: what is wider is told by the same probes, and by others;
    # but those would also wait until their patience ends
    out = {"egress": [{"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "insurance"}}}]}]}
    into = {"ingress": [{"from": anywhere(), "ports": [{"port": d.MTLS_PORT}]}]}
    for namespace, spec in (("shop", out), ("insurance", into)):
        every = {"podSelector": {}, "policyTypes": [way.capitalize() for way in spec]}
        meta = {"name": "hole", "namespace": namespace}
        apply({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": every | spec})
    try:
        code, told, _ = prove(*ONE_PAIR, "--no-layers", "--format=json")
    finally:
        for namespace in ("shop", "insurance"):
            kubectl("delete", "networkpolicy", "hole", "-n", namespace)
    assert code == 1
    assert {p["layer"] for p in json.loads(told)["probes"] if not p["ok"]} >= {"identity"}


def test_a_probe_that_cannot_be_run_is_exit_code_2_and_no_refusal() -> None:
    code, out, err = prove(*ONE_PAIR, "--no-layers", f"--image={NOTHING}")
    assert (code, out) == (2, "")
    assert "localhost:1/nothing" in err.splitlines()[-1]
    assert leavings() == ""


def pods_of_a_run() -> list[str]:
    return kubectl("get", "pods", "-n", "shop", "-l", LABEL, "-o", "name").split()


def addresses_of_services() -> set[str]:
    return {
        address
        for piece in in_estate("endpointslices", *NAMESPACES).values()
        for endpoint in piece.get("endpoints") or []
        if endpoint["conditions"].get("ready")
        for address in endpoint["addresses"]
    }


@pytest.fixture
def running() -> Iterator[subprocess.Popen[str]]:
    process = start(*ONE_PAIR)
    try:
        eventually(lambda: bool(pods_of_a_run()), "probe pods", seconds=120)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_probe_pods_never_serve_anybody(running: subprocess.Popen[str]) -> None:
    eventually(lambda: "Running" in kubectl("get", "pods", "-n", "shop", "-l", LABEL), "a running probe", seconds=120)
    own = {p["status"].get("podIP") for p in get("pods", "-A", "-l", LABEL)["items"]} - {None}
    assert own
    assert addresses_of_services()
    assert not own & addresses_of_services()
    assert running.wait(300) == 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_cleans_up(how: signal.Signals, running: subprocess.Popen[str]) -> None:
    running.send_signal(how)
    assert running.wait(180) == 130
    assert leavings() == ""


def test_what_a_killed_run_left_is_removed_by_the_next(running: subprocess.Popen[str]) -> None:
    running.kill()
    running.wait(30)
    assert leavings() != ""
    assert prove(*ONE_PAIR, "--no-layers")[0] == 0
    assert leavings() == ""
