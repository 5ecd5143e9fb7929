"""The derived sidecar configuration in two real Envoys: what is declared passes, each other thing is refused."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from garrison.model.graph import Operation
from garrison.prove.drill.cuts import AFTER_THE_HANDSHAKE, KINDS
from garrison.prove.judge import classify
from garrison.prove.look.world import CLAIM, CLAIMS
from garrison.prove.model import Kind, Request
from harness.ports import free_port
from prober.batch import observe
from servers.proxies import (
    CATALOG,
    ORDERS,
    Bench,
    another_callee,
    ask,
    context,
    eventually,
    in_front_of,
    own,
    running,
)
from unit.authority import Authority

UNDECLARED = "spiffe://estate.example/ns/garrison-probe-a1b2c3/sa/garrison-probe"
RESUMED = Request(Operation("GET", "/items/1"), credential="own", resumed=True)


NOT_HERE = (Kind.IMPOSTOR, Kind.WITHOUT_TOKEN)  # what callers demand; and tokens, which test_tokens.py has


@pytest.fixture(params=[cut for cut, kind in KINDS.items() if kind not in NOT_HERE])
def weakened(request: pytest.FixtureRequest, bench: Bench, tmp_path: Path) -> Iterator[tuple[str, Bench]]:
    """The callee once more, without one of its protections."""
    with another_callee(bench, tmp_path / "weakened", "catalog", request.param) as inbound:
        yield request.param, replace(bench, inbound=inbound)


def test_declared_operations_pass_and_carry_the_callers_identity(bench: Bench) -> None:
    status, body = ask(bench, "GET", "/items/1?x=2", own(bench), **{"x-forwarded-client-cert": "URI=spiffe://forged"})
    assert status == 200
    assert json.loads(body)["headers"]["x-forwarded-client-cert"].endswith(f"URI={ORDERS}")
    assert "forged" not in body
    assert ask(bench, "GET", "/items", own(bench))[0] == 200


def test_declared_operation_through_the_callers_own_sidecar(bench: Bench) -> None:
    made = http.client.HTTPConnection("127.0.0.1", bench.outbound, timeout=10)
    made.request("GET", "/items/7", headers={"x-request-id": "id-of-the-test"})
    answer = made.getresponse()
    seen = json.loads(answer.read())
    assert (answer.status, answer.headers["x-request-id"]) == (200, "id-of-the-test")
    assert seen["headers"]["x-correlation-id"] == "id-of-the-test"
    assert seen["headers"]["x-forwarded-client-cert"].endswith(f"URI={ORDERS}")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/items/1"),
        ("GET", "/items/1/price"),
        ("GET", "/"),
        ("GET", "/itemsX"),
        ("DELETE", "/items"),
        ("GET", "/items/"),
        ("GET", "//items/1/../../admin"),
        ("GET", "/items/%2e%2e/admin"),
    ],
)
def test_undeclared_operations_are_refused(bench: Bench, method: str, path: str) -> None:
    status, body = ask(bench, method, path, own(bench))
    assert (status, "RBAC: access denied" in body) == (403, True)


def test_an_escaped_slash_is_refused(bench: Bench) -> None:
    assert ask(bench, "GET", "/items/1%2f..%2fadmin", own(bench))[0] == 400


def test_another_identity_of_the_trust_domain_is_refused(bench: Bench) -> None:
    tls = context(bench.root.issue(bench.folder / "id" / "audit", uri="spiffe://estate.example/ns/bank/sa/audit"))
    assert ask(bench, "GET", "/items/1", tls)[0] == 403


@pytest.mark.parametrize(
    "uri", ["spiffe://evil.example/ns/shop/sa/orders", "spiffe://estate.example.evil/ns/shop/sa/orders"]
)
def test_another_trust_domain_is_refused_at_the_handshake(bench: Bench, uri: str) -> None:
    tls = context(bench.root.issue(bench.folder / "id" / "evil", uri=uri))
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(bench, "GET", "/items/1", tls)


def test_another_authority_is_refused_at_the_handshake(bench: Bench) -> None:
    tls = context(Authority.fresh("other root").issue(bench.folder / "id" / "forged", uri=ORDERS))
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(bench, "GET", "/items/1", tls)


def test_no_certificate_old_tls_and_plaintext_are_refused(bench: Bench) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(bench, "GET", "/items/1", context(None))
    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask(bench, "GET", "/items/1", context(bench.folder / "id" / "orders", ssl.TLSVersion.TLSv1_2))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(bench, "GET", "/items/1", None)


def furthest(bench: Bench, method: str, path: str, tls: ssl.SSLContext) -> str:
    """How far a request gets: to the handshake, to the authorisation, or to the application."""
    try:
        status, body = ask(bench, method, path, tls)
    except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
        return "handshake"
    return "authorisation" if status == 403 and "RBAC" in body else "application"


def tried(bench: Bench, **more: Any) -> dict[str, Any]:
    """What the probe tool itself sees of a declared operation."""
    files = bench.folder / "id" / "orders"
    tls = {"certificate": str(files / "tls.crt"), "key": str(files / "tls.key")}
    spec = {"action": "http", "host": "127.0.0.1", "port": bench.inbound, "method": "GET", "path": "/items/1"}
    return observe(spec | {"tls": tls} | more, 5.0)


def resumed(bench: Bench) -> bool:
    found = classify.read(RESUMED, tried(bench, action="resume"))
    assert (found.verdict, found.layer) in {("allowed", None), ("refused", "identity")}
    return found.verdict == "allowed"


def claimed(bench: Bench) -> bool:
    """Whether the application got what a caller claims: the host, which is set, and by headers, which are removed."""
    found = tried(bench, headers=dict.fromkeys(CLAIMS, CLAIM))
    assert found["status"] == 200, found
    heard = {name for name, value in json.loads(found["body"])["headers"].items() if CLAIM in value}
    assert bool(heard) == (heard >= {"host", "x-original-url", "x-http-method-override"})
    return bool(heard)


def test_each_cut_of_the_drill_lets_its_telling_probe_further_and_no_other(weakened: tuple[str, Bench]) -> None:
    cut, bench = weakened
    stranger = context(bench.root.issue(bench.folder / "id" / "far", uri="spiffe://far.example/ns/shop/sa/orders"))
    nobody = context(bench.root.issue(bench.folder / "id" / "nobody", uri=UNDECLARED))
    reached = {
        "undeclared operation": furthest(bench, "POST", "/items/1", own(bench)),
        "no certificate": furthest(bench, "GET", "/items/1", context(None)),
        "wrong trust domain": furthest(bench, "GET", "/items/1", stranger),
        "TLS 1.2": furthest(bench, "GET", "/items/1", context(bench.folder / "id" / "orders", ssl.TLSVersion.TLSv1_2)),
        "undeclared identity": furthest(bench, "GET", "/items/1", nobody),
        "resumed session": "application" if resumed(bench) else "handshake",
        "claims beside the request": "application" if claimed(bench) else "authorisation",
    }
    later = [str(kind) for kind in AFTER_THE_HANDSHAKE if kind not in NOT_HERE]
    whole = dict.fromkeys(reached, "handshake") | dict.fromkeys(later, "authorisation")
    further = {
        "authorisation": {"undeclared operation": "application", "undeclared identity": "application"},
        "client certificate": {"no certificate": "authorisation", "wrong trust domain": "authorisation"},
        "trust domain": {"wrong trust domain": "authorisation"},
        "TLS version": {"TLS 1.2": "application"},
        "callers' names": {"undeclared identity": "application"},
        "whole handshakes": {"resumed session": "application"},
        "removal of claims": {"claims beside the request": "application"},
    }[cut]
    assert reached == whole | further
    assert KINDS[cut] in further


@pytest.mark.parametrize(("cut", "status"), [("", 503), ("callee's name", 200)])
def test_a_caller_talks_to_an_impostor_only_without_the_callees_name(
    bench: Bench, tmp_path: Path, cut: str, status: int
) -> None:
    outbound = free_port()
    with another_callee(bench, tmp_path / "impostor", "orders") as impostor:
        places = in_front_of("orders", bench.folder, outbound, impostor)
        with running("orders", tmp_path / "caller", places, cut, outbound):
            made = http.client.HTTPConnection("127.0.0.1", outbound, timeout=10)
            made.request("GET", "/items/7")
            answer = made.getresponse()
            body = answer.read().decode()
    assert answer.status == status, body
    log = (tmp_path / "caller" / "log").read_text()  # written to the end: the sidecar has stopped
    assert ("CERTIFICATE_VERIFY_FAILED" in log) == (not cut)


def test_the_health_port_serves_two_paths_only(bench: Bench) -> None:
    def status(path: str) -> int:
        made = http.client.HTTPConnection("127.0.0.1", bench.health, timeout=5)
        made.request("GET", path)
        return made.getresponse().status

    assert (status("/proxy"), status("/healthz")) == (200, 200)
    assert {status("/items/1"), status("/"), status("/healthz/../items/1")} == {404}


def test_a_renewed_certificate_is_served_without_dropping_a_connection(bench: Bench) -> None:
    made = http.client.HTTPSConnection("127.0.0.1", bench.inbound, context=own(bench), timeout=5)
    made.request("GET", "/items/1")
    assert made.getresponse().read()
    before = made.sock.getpeercert(binary_form=True)
    # as the kubelet does it: new files under other names, then one rename in the watched folder
    live, fresh = bench.folder / "id" / "catalog", bench.root.issue(bench.folder / "fresh", uri=CATALOG)
    for file in ("tls.key", "tls.crt"):
        (fresh / file).replace(live / file)
    deadline = time.monotonic() + 20
    while served(bench) == before and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    assert served(bench) != before
    made.request("GET", "/items/2")
    assert made.getresponse().status == 200, "the connection of before is still good"


def served(bench: Bench) -> bytes | None:
    with socket.create_connection(("127.0.0.1", bench.inbound)) as raw, own(bench).wrap_socket(raw) as tls:
        return tls.getpeercert(binary_form=True)


def test_the_access_log_has_both_identities_and_no_request_shares_its_id(bench: Bench) -> None:
    for _ in range(2):
        ask(bench, "POST", "/items/1", own(bench), **{"x-request-id": "chosen-by-the-caller"})
    eventually(lambda: bench.log.read_text().count("chosen-by-the-caller") == 2, "both requests are logged")
    lines = [json.loads(row) for row in bench.log.read_text().splitlines() if "chosen-by-the-caller" in row]
    for entry in lines:
        assert (entry["peer"], entry["self"], entry["status"]) == (ORDERS, CATALOG, 403)
        assert entry["detail"].startswith("rbac_access_denied")
        assert entry["correlation_id"] == "chosen-by-the-caller"
    assert len({str(UUID(entry["request_id"])) for entry in lines}) == 2
