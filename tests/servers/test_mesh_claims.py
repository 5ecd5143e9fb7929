"""What a caller claims beside its request counts for nothing: the application gets what was authorised."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

from servers.proxies import ORDERS, Bench, ask, context, own, raw

OTHER = "spiffe://estate.example/ns/bank/sa/audit"
CLAIMS = {
    "method": (
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X-Original-Method",
        "X-Forwarded-Method",
    ),
    "path": (
        *("X-Original-URL", "X-Original-URI", "X-Rewrite-URL", "X-Forwarded-Uri", "X-Forwarded-Prefix"),
        *("X-Forwarded-Path", "X-Script-Name", "X-Replaced-Path", "X-Envoy-Original-Path", "X-HTTP-Path-Override"),
    ),
    "host": (
        *("Forwarded", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server", "X-Host", "X-HTTP-Host-Override"),
        *("X-Forwarded-Scheme", "X-Forwarded-Ssl", "Front-End-Https", "X-Url-Scheme", "Proxy"),
    ),
    "address": (
        *("X-Real-IP", "True-Client-IP", "Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "X-Remote-Addr"),
        *("X-Original-Forwarded-For", "CF-Connecting-IP", "Fastly-Client-IP", "X-Envoy-External-Address"),
    ),
    "name": ("Client-Cert", "X-Client-Cert", "X-SSL-Client-S-DN", "X-Remote-User", "Remote-User", "X-Forwarded-User"),
    "skipping": ("X-Middleware-Subrequest", "X-Accel-Mapping", "X-Sendfile-Type"),
}


@pytest.mark.parametrize("name", [name for names in CLAIMS.values() for name in names])
def test_a_header_that_disputes_the_request_does_not_reach_the_application(bench: Bench, name: str) -> None:
    status, body = ask(bench, "GET", "/items/1", own(bench), **{name: "DELETE /claimed", "X-Kept": "control"})
    assert status == 200
    assert "claimed" not in body
    assert json.loads(body)["headers"]["x-kept"] == "control"


def test_the_application_hears_one_host_the_peers_address_and_how_it_came(bench: Bench) -> None:
    claims = {"Host": "admin.example", "X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http"}
    _, body = ask(bench, "GET", "/items/1", own(bench), **claims)
    headers = json.loads(body)["headers"]
    assert headers["host"] == "catalog.shop"
    assert "203.0.113.9" not in headers["x-forwarded-for"]
    assert "," not in headers["x-forwarded-for"], "one address, that of the connection"
    assert headers["x-forwarded-proto"] == "https"
    assert "x-envoy-original-host" not in headers


def test_naming_the_callers_identity_as_a_header_of_the_connection_does_not_drop_it(bench: Bench) -> None:
    _, body = ask(bench, "GET", "/items/1", own(bench), Connection="close, x-forwarded-client-cert, x-request-id")
    assert json.loads(body)["headers"]["x-forwarded-client-cert"].endswith(f"URI={ORDERS}")


def test_timeouts_and_retries_are_not_the_callers_to_set(bench: Bench) -> None:
    status, body = ask(bench, "GET", "/items/1", own(bench), **{"X-Envoy-Upstream-Rq-Timeout-Ms": "1"})
    assert (status, "x-envoy-upstream-rq" in body) == (200, False)


def test_a_request_has_an_id_of_its_own_and_keeps_the_callers_beside_it(bench: Bench) -> None:
    sent = {"x-request-id": "a" * 500, "x-kept": "control"}
    seen = [json.loads(ask(bench, "GET", "/items/1", own(bench), **sent)[1])["headers"] for _ in range(2)]
    assert len({headers["x-request-id"] for headers in seen}) == 2
    assert {headers["x-correlation-id"] for headers in seen} == {"a" * 64}
    through = json.loads(ask(bench, "GET", "/items/1", own(bench), **{"x-correlation-id": "c", "x-request-id": "r"})[1])
    assert through["headers"]["x-correlation-id"] == "c", "an application may pass on what it was given"


@pytest.mark.parametrize(
    "uris", [(ORDERS, OTHER), (OTHER, ORDERS), (f"{OTHER};URI={ORDERS}",), (f"{ORDERS};URI={OTHER}",)]
)
def test_a_certificate_with_two_names_is_nobody(bench: Bench, tmp_path: Path, uris: tuple[str, ...]) -> None:
    tls = context(bench.root.issue(tmp_path / "two", uri=uris))
    status, body = ask(bench, "GET", "/items/1", tls)
    assert (status, "RBAC: access denied" in body) == (403, True)
    one = context(bench.root.issue(tmp_path / "one", uri=ORDERS))
    assert ask(bench, "GET", "/items/1", one)[0] == 200, "the control"


def test_a_certificate_without_usages_is_one_for_every_use(bench: Bench, tmp_path: Path) -> None:
    """As RFC 5280 has it; said in SECURITY.md. Envoy has no setting that demands a usage."""
    tls = context(bench.root.issue(tmp_path / "any", uri=ORDERS, usages=()))
    assert ask(bench, "GET", "/items/1", tls)[0] == 200


def test_a_certificate_that_is_not_for_clients_is_refused_at_the_handshake(bench: Bench, tmp_path: Path) -> None:
    tls = context(bench.root.issue(tmp_path / "server", uri=ORDERS, usages=(Usage.SERVER_AUTH,)))
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
        ask(bench, "GET", "/items/1", tls)


@pytest.mark.parametrize(
    "request_line",
    [
        *("POST /healthz", "HEAD /healthz", "GET /healthz?verbose=1", "GET /healthz?", "GET /proxy?x", "DELETE /proxy"),
        *("GET /healthz/", "GET /HEALTHZ", "GET //healthz", "GET /%68ealthz", "OPTIONS *"),
    ],
)
def test_the_health_port_serves_nothing_but_two_questions(bench: Bench, request_line: str) -> None:
    answer = raw(bench, f"{request_line} HTTP/1.1\r\nhost: x\r\n\r\n", bench.health)
    assert answer[:4] in (b"404 ", b"400 "), answer


@pytest.mark.parametrize(
    "body", ["content-length: 2\r\n\r\nhi", "transfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"]
)
def test_the_health_port_takes_no_body(bench: Bench, body: str) -> None:
    assert raw(bench, f"GET /healthz HTTP/1.1\r\nhost: x\r\n{body}", bench.health)[:4] == b"404 "


def test_the_health_port_hands_no_claim_to_the_application(bench: Bench) -> None:
    head = "GET /healthz HTTP/1.1\r\nhost: admin.example\r\nx-original-url: /claimed\r\n\r\n"
    answer = raw(bench, head, bench.health)
    assert answer.startswith(b"200 ")
    assert (b"claimed" in answer, b"admin.example" in answer) == (False, False)


def test_a_change_of_the_protocol_does_not_reach_the_application(bench: Bench) -> None:
    asked = {"Connection": "upgrade, http2-settings", "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA", "Upgrade": "h2c"}
    status, body = ask(bench, "GET", "/items/1", own(bench), **asked)
    assert status in (200, 403)
    assert not {"upgrade", "http2-settings"} & (json.loads(body)["headers"].keys() if status == 200 else set())
    assert ask(bench, "GET", "/items/1", own(bench), Connection="upgrade", Upgrade="websocket")[0] == 403
