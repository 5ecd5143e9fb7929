"""The derived edge in a real Envoy with its agent: what is declared works, nothing else ever reaches a service."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from garrison import defaults as d
from servers.edges import Answer, Edge, ask, connect, mount, raw, stand
from servers.proxies import context, eventually
from unit.edges import API, LOGIN, WWW, edge_app

HEAD = b"GET /items HTTP/1.1\r\nHost: api.estate.example\r\n"
POST = b"POST /items/search HTTP/1.1\r\nHost: api.estate.example\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
JSON = {"content-type": "application/json"}


def addresses(requests: int) -> dict[str, str]:
    """Another limit for an address: so many in an hour."""
    bucket = '{{"fill_interval":"{}s","max_tokens":{},"tokens_per_fill":{}}}'
    most, seconds = d.ADDRESS_RATE
    return {bucket.format(seconds, most, most): bucket.format(3600, requests, requests)}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with stand(tmp_path_factory.mktemp("edge"), changes=addresses(1_000_000)) as made:
        yield made


@pytest.fixture
def unseen(edge: Edge) -> Iterator[None]:
    """Whatever the test does, no service hears of it."""
    before = len(edge.seen)
    yield
    assert edge.seen[before:] == []


def problem(answer: Answer, status: int) -> bool:
    """A problem document about that status, which is on its way over https only from now on."""
    said = answer.headers["content-type"] == "application/problem+json" and answer.json["status"] == status
    return said and answer.status == status and answer.headers["strict-transport-security"] == d.HSTS


# --- what is declared ------------------------------------------------------------------------------------------------


def test_a_public_route_reaches_its_service_as_it_was_asked_and_without_claims(edge: Edge) -> None:
    claimed = {
        "cookie": "a=b",
        "authorization": f"Bearer {edge.token()}",
        "x-forwarded-for": "192.0.2.9",
        "x-request-id": "mine",
        "x-verified-claims": "e30",
        "x-envoy-original-path": "/x",
        "x-correlation-id": "mine",
        "x-real-ip": "1",
    }
    answer = ask(edge, "GET", "/items?limit=3", headers=claimed)
    heard = answer.json["headers"]
    assert (answer.status, answer.json["path"], heard["host"]) == (200, "/items?limit=3", "catalog.shop")
    assert not {"cookie", "authorization", "x-verified-claims", "x-real-ip", "x-correlation-id"} & set(heard)
    assert "192.0.2.9" not in heard["x-forwarded-for"]
    assert heard["x-request-id"] == answer.headers["x-request-id"] != "mine"
    assert answer.headers["strict-transport-security"] == d.HSTS
    assert "server" not in answer.headers


def test_a_users_route_takes_the_token_on_to_the_sidecar_that_verifies_it_again(edge: Edge) -> None:
    token = edge.token()
    answer = ask(edge, "GET", "/orders/1", token=token, headers={"cookie": "a=b"})
    assert (answer.status, answer.json["headers"]["authorization"]) == (200, f"Bearer {token}")
    assert "cookie" not in answer.json["headers"]


def test_a_request_is_one_line_with_rule_subject_route_outcome_and_id(edge: Edge) -> None:
    passed = ask(edge, "GET", "/orders/7?secret=1", token=edge.token("carol")).headers["x-request-id"]
    refused = ask(edge, "GET", "/tenants/a/orders", token=edge.token("dave", tenant="b")).headers["x-request-id"]
    eventually(lambda: len(edge.lines(request_id=refused)) == 1, "it is logged")
    (line,) = edge.lines(request_id=passed)
    assert (line["rule"], line["subject"]) == (f"edge/edge GET /orders/{{id}} at {API}", "carol")
    assert (line["route"], line["outcome"], line["status"]) == ("shop/orders: GET /orders/{id}", "allowed", 200)
    assert (line["host"], line["client"], line["path"]) == (API, "127.0.0.1", "/orders/7")
    (line,) = edge.lines(request_id=refused)
    assert (line["subject"], line["outcome"], line["status"]) == ("dave", "denied", 403)
    assert "rbac" in line["detail"]


@pytest.mark.parametrize("path", ["//items", "/x/../items", "/x/%2e%2e/items", "/%69tems", "/items/..;/items"])
def test_a_path_in_other_letters_is_the_path_that_it_means(edge: Edge, path: str) -> None:
    """As the sidecars read it, and the service hears that one."""
    assert ask(edge, "GET", path).json["path"] == "/items"


def test_http_2_passes_and_another_host_beside_the_authority_is_not_heard(edge: Edge) -> None:
    assert json.loads(curl(edge, "/items", "-H", "host: api.estate.example"))["headers"]["host"] == "catalog.shop"


def curl(edge: Edge, path: str, *more: str, name: str = API) -> str:
    where = ["--resolve", f"{name}:{edge.port}:127.0.0.1", "--cacert", str(edge.folder / "id" / "edge" / "ca.pem")]
    command = ["curl", "--silent", "--http2", *where, *more, f"https://{name}:{edge.port}{path}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout


# --- what is not -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unseen")
def test_what_is_not_declared_is_not_there(edge: Edge) -> None:
    assert problem(ask(edge, "GET", "/nothing"), 404)
    assert problem(ask(edge, "GET", "/items/1/x"), 404)
    assert problem(ask(edge, "GET", "/items/"), 404)
    wrong = ask(edge, "PATCH", "/orders/1")
    assert problem(wrong, 405)
    assert wrong.headers["allow"] == "DELETE, GET, PUT"
    assert ask(edge, "OPTIONS", "/items").headers["allow"] == "GET"


SHAPES = {
    "both lengths": CHUNKED + b"Content-Length: 5\r\n\r\n0\r\n\r\n",
    "both lengths, turned": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
    "a list of lengths": HEAD + b"Content-Length: 0, 5\r\n\r\n",
    "a signed length": HEAD + b"Content-Length: +0\r\n\r\n",
    "a space before the colon": HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "another coding": HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "identity": HEAD + b"Transfer-Encoding: identity\r\n\r\n",
    "chunked is not the last coding": HEAD + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a chunk of less than nothing": CHUNKED + b"\r\n-1\r\nx\r\n0\r\n\r\n",
    "chunks with bare line feeds": CHUNKED + b"\r\n1\nx\n0\n\n",
    "nul in a header": HEAD + b"X-A: b\0c\r\n\r\n",
    "an underscore in a name": HEAD + b"x_forwarded_for: 1\r\n\r\n",
    "HTTP/1.0": b"GET /items HTTP/1.0\r\nHost: api.estate.example\r\n\r\n",
    "HTTP/0.9": b"GET /items\r\n\r\n",
    "no host": b"GET /items HTTP/1.1\r\n\r\n",
    "two hosts": HEAD + b"Host: evil.example\r\n\r\n",
    "the host twice": HEAD + b"Host: api.estate.example\r\n\r\n",
    "absolute form": b"GET https://api.estate.example/items HTTP/1.1\r\nHost: api.estate.example\r\n\r\n",
    "absolute form elsewhere": b"GET http://evil.example/items HTTP/1.1\r\nHost: api.estate.example\r\n\r\n",
    "connect": b"CONNECT api.estate.example:443 HTTP/1.1\r\nHost: api.estate.example\r\n\r\n",
    "a web socket": HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "a slash in disguise": HEAD.replace(b"/items", b"/items/1%2f2") + b"\r\n",
    "a backslash in disguise": HEAD.replace(b"/items", b"/items/1%5c2") + b"\r\n",
    "nul in the path": HEAD.replace(b"/items", b"/items/1%002") + b"\r\n",
    "a fragment": HEAD.replace(b"/items", b"/items#x") + b"\r\n",
    "path parameters": HEAD.replace(b"/items", b"/items/1;x") + b"\r\n",
    "an octet encoded twice": HEAD.replace(b"/items", b"/items/%252e") + b"\r\n",
    "a method in lower case": HEAD.replace(b"GET", b"get") + b"\r\n",
    "trace": HEAD.replace(b"GET", b"TRACE") + b"\r\n",
    "another port": b"GET /items HTTP/1.1\r\nHost: api.estate.example:9\r\n\r\n",
    "another host of the edge": b"GET /items HTTP/1.1\r\nHost: www.estate.example\r\n\r\n",
    "a dot behind the host": b"GET /items HTTP/1.1\r\nHost: api.estate.example.\r\n\r\n",
    "a service's own name": b"GET /items HTTP/1.1\r\nHost: catalog.shop.svc.cluster.local\r\n\r\n",
    "a long header": HEAD + b"X-A: " + b"a" * 40_000 + b"\r\n\r\n",
    "many headers": HEAD + b"".join(b"x-%d: a\r\n" % number for number in range(70)) + b"\r\n",
    "a large body": POST + b"Content-Length: 2000000\r\n\r\n",
    "a large body in chunks": CHUNKED + b"\r\n" + (b"8000\r\n" + b"x" * 0x8000 + b"\r\n") * 40 + b"0\r\n\r\n",
}


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_request_that_could_be_read_in_two_ways_is_read_in_none(edge: Edge, shape: str) -> None:
    try:
        answer = raw(edge, SHAPES[shape])
    except OSError:
        answer = b""  # it was cut off
    assert answer == b"" or 400 <= int(answer[:3]) <= 501
    assert ask(edge, "GET", "/nothing").status == 404  # and lives


@pytest.mark.parametrize(
    "shape",
    [
        HEAD + b"X-A: b\r\n c\r\n\r\n",  # obs-fold is a space (RFC 9112 section 5.2)
        b"GET /items HTTP/1.1\nHost: api.estate.example\n\n",  # a line feed ends a line (section 2.2)
        HEAD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        HEAD + b"X-A: b\rX-C: d\r\n\r\n",
    ],
)
def test_what_has_one_meaning_is_passed_on_in_that_alone(edge: Edge, shape: bytes) -> None:
    """The edge writes every request anew: the service sees one request without fold, bare line ends or upgrade."""
    before = len(edge.seen)
    heard = json.loads(raw(edge, shape)[4:])["headers"]
    assert edge.seen[before:] == ["GET /items"]
    assert not {"upgrade", "http2-settings", "x-c"} & set(heard)


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("name", ["evil.example", "estate.example", "x.api.estate.example", "localhost", "127.0.0.1"])
def test_another_server_name_or_none_ends_in_the_handshake(edge: Edge, name: str) -> None:
    with pytest.raises((ssl.SSLError, ConnectionError)):
        connect(edge, name)


@pytest.mark.usefixtures("unseen")
def test_old_tls_and_plaintext_are_refused(edge: Edge) -> None:
    old = ssl.create_default_context(cafile=str(edge.folder / "id" / "edge" / "ca.pem"))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    made = http.client.HTTPSConnection(API, edge.port, context=old, timeout=5)
    made._create_connection = lambda *_: socket.create_connection(("127.0.0.1", edge.port), 5)  # type: ignore[attr-defined]
    with pytest.raises((ssl.SSLError, ConnectionError)):
        made.request("GET", "/items")
    plain = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=5)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        plain.request("GET", "/items")
        plain.getresponse()


# HTTP/2 frames (RFC 9113) with headers as literals (RFC 7541 section 6.2.2).
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def headers(*pairs: tuple[str, str]) -> bytes:
    parts = (bytes([0, len(n)]) + n.encode() + bytes([len(v)]) + v.encode() for n, v in pairs)
    return frame(1, 5, 1, b"".join(parts))


METHOD, SCHEME, PATH, AUTHORITY = (":method", "GET"), (":scheme", "https"), (":path", "/items"), (":authority", API)
STREAMS = {
    "another authority": [METHOD, SCHEME, PATH, (":authority", WWW)],
    "two authorities": [METHOD, SCHEME, PATH, AUTHORITY, (":authority", "evil.example")],
    "no path": [METHOD, SCHEME, AUTHORITY],
    "two paths": [METHOD, SCHEME, PATH, (":path", "/orders/1"), AUTHORITY],
    "a coding": [METHOD, SCHEME, PATH, AUTHORITY, ("transfer-encoding", "chunked")],
    "a connection header": [METHOD, SCHEME, PATH, AUTHORITY, ("connection", "keep-alive")],
    "a name in capitals": [METHOD, SCHEME, PATH, AUTHORITY, ("X-A", "b")],
    "a line within a value": [METHOD, SCHEME, PATH, AUTHORITY, ("x-a", "b\r\nx-b: c")],
    "a line within the path": [METHOD, SCHEME, (":path", "/items HTTP/1.1\r\nx: y"), AUTHORITY],
    "a length without a body": [METHOD, SCHEME, PATH, AUTHORITY, ("content-length", "5")],
    "connect": [(":method", "CONNECT"), AUTHORITY],
    "extended connect": [(":method", "CONNECT"), SCHEME, PATH, AUTHORITY, (":protocol", "websocket")],
    "a pseudo-header too late": [METHOD, SCHEME, PATH, ("x-a", "b"), AUTHORITY],
    "a slash in disguise": [METHOD, SCHEME, (":path", "/items/1%2f2"), AUTHORITY],
}


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("shape", STREAMS)
def test_a_malformed_stream_reaches_nobody(edge: Edge, shape: str) -> None:
    with connect(edge, API, ("h2",)) as line:
        assert line.selected_alpn_protocol() == "h2"
        line.sendall(PREFACE + headers(*STREAMS[shape]))
        assert answered(line)


def test_the_stream_that_is_well_formed_passes(edge: Edge) -> None:
    before = len(edge.seen)
    with connect(edge, API, ("h2",)) as line:
        line.sendall(PREFACE + headers(METHOD, SCHEME, PATH, AUTHORITY))
        assert answered(line)
    assert edge.seen[before:] == ["GET /items"]


def answered(line: ssl.SSLSocket) -> bool:
    """Until headers, a reset or the end of the connection come back."""
    data = b""
    while True:
        try:
            more = line.recv(65536)
        except OSError:
            return True
        data += more
        while len(data) >= 9:
            length, kind = int.from_bytes(data[:3], "big"), data[3]
            if kind in (1, 3, 7):
                return True
            data = data[9 + length :]
        if not more:
            return True


# --- tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unseen")
def test_without_a_token_of_this_host_nobody_is_let_in(edge: Edge) -> None:
    ours, www = edge.signers[API], edge.signers[WWW]
    refused = {
        "none": ("", 401),
        "not one": ("x", 401),
        "no signature": (ours.forged("none"), 401),
        "the public key as a secret": (ours.forged("HS256"), 401),
        "over": (ours.token(exp=1), 401),
        "without an end": (ours.token(without=("exp",)), 401),
        "for somebody else": (ours.token(aud="other"), 403),
        "alike": (ours.token(aud=f"https://{ours.audience}/"), 403),
        "of another issuer": (ours.token(iss="https://evil.example"), 401),
        "another host's session": (www.token(), 401),
        "a key of nobody": (ours.token(header={"kid": "unknown"}), 401),
    }
    answers = {what: ask(edge, "GET", "/orders/1", token=token).status for what, (token, _) in refused.items()}
    assert answers == {what: status for what, (_, status) in refused.items()}
    assert ask(edge, "GET", f"/orders/1?access_token={ours.token()}").status == 401
    assert ask(edge, "GET", "/orders/1", headers={"cookie": f"IdToken={ours.token()}"}).status == 401
    assert ask(edge, "GET", "/orders/1", headers={"authorization": f"Basic x, Bearer {ours.token()}"}).status == 403


def test_groups_and_conditions_decide(edge: Edge) -> None:
    body = b"{}"
    assert ask(edge, "POST", "/orders", body=body, token=edge.token()).status == 200
    assert ask(edge, "GET", "/tenants/a/orders", token=edge.token(tenant="a")).status == 200
    before = len(edge.seen)
    for groups in ([], ["customers2"], "customers", ["Customers"]):
        assert ask(edge, "POST", "/orders", body=body, token=edge.token(groups=groups)).status == 403
    assert problem(ask(edge, "GET", "/tenants/a/orders", token=edge.token(tenant="b")), 403)
    assert ask(edge, "GET", "/tenants/a/orders", token=edge.token()).status == 403
    assert len(edge.seen) == before


# --- contracts -------------------------------------------------------------------------------------------------------


def test_input_that_the_contract_does_not_know_is_named_and_refused(edge: Edge) -> None:
    assert ask(edge, "POST", "/items/search", body=b'{"text": "x"}', headers=JSON).status == 200
    assert ask(edge, "POST", "/items/search", body=b'{"text": "%s"}' % (b"x" * 900_000), headers=JSON).status == 200
    before = len(edge.seen)
    wrong = ask(edge, "POST", "/items/search", body=b'{"text": "x", "more": 1}', headers=JSON)
    assert problem(wrong, 422)
    assert "more" in wrong.body
    assert problem(ask(edge, "GET", "/items?limit=101"), 422)
    assert len(edge.seen) == before


# --- limits ----------------------------------------------------------------------------------------------------------


def test_as_many_as_are_let_in_pass_and_the_next_is_told_when_to_come_again(edge: Edge) -> None:
    answers = [ask(edge, "GET", f"/items/{number}") for number in range(5)]
    assert [one.status for one in answers] == [200, 200, 200, 200, 429]
    assert problem(answers[-1], 429)
    assert 0 < int(answers[-1].headers["retry-after"]) <= 3600
    assert (answers[-1].headers["x-ratelimit-limit"], answers[-1].headers["x-ratelimit-remaining"]) == ("4", "0")
    assert ask(edge, "GET", "/items").status == 200  # another route has its own
    assert [ask(edge, "DELETE", "/orders/1", token=edge.token(f"u{n}")).status for n in range(6)] == [200] * 5 + [429]


def test_ten_thousand_users_are_counted_each_for_themselves(edge: Edge) -> None:
    line = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
    line.sock = connect(edge)

    def put(user: str) -> int:
        line.request("PUT", "/orders/1", headers={"host": API, "authorization": f"Bearer {edge.token(user)}"})
        answer = line.getresponse()
        answer.read()
        return answer.status

    assert [put("alice") for _ in range(4)] == [200, 200, 200, 429]
    assert {put(f"user-{number}") for number in range(d.PROMISED - 1)} == {200}
    assert put("alice") == 429
    assert put("one more") == 200
    line.close()


def test_an_address_is_counted_before_its_tokens_are_read(tmp_path: Path) -> None:
    with stand(tmp_path, changes=addresses(5)) as edge:
        answers = [ask(edge, "GET", "/orders/1", token="wrong") for _ in range(6)]
        assert [one.status for one in answers] == [401] * 5 + [429]
        assert ask(edge, "GET", "/items", at=WWW).status == 200  # each host counts for itself
        assert "retry-after" in answers[-1].headers


# --- browsers --------------------------------------------------------------------------------------------------------


def test_a_page_is_sent_to_the_login_with_a_proof_key(edge: Edge) -> None:
    answer = ask(edge, "GET", "/orders/1", at=WWW)
    where = answer.headers["location"]
    assert answer.status == 302
    assert where.startswith(f"https://{LOGIN}:8443/ui/vault/identity/oidc/provider/www-estate-example/authorize?")
    assert "code_challenge_method=S256" in where
    assert "redirect_uri=https%3A%2F%2Fwww.estate.example%3A8443%2Foauth2%2Fcallback" in where
    assert {"secure", "HttpOnly", "SameSite=Lax"} <= set(answer.headers["set-cookie"].split(";"))
    assert answer.headers["strict-transport-security"] == d.HSTS
    assert ask(edge, "GET", "/items", at=WWW).status == 200  # a public route sends nobody there


@pytest.mark.usefixtures("unseen")
def test_no_other_page_and_no_forged_session_does_anything(edge: Edge) -> None:
    own = {"origin": f"https://{WWW}"}
    assert ask(edge, "POST", "/orders", at=WWW, body=b"{}").status == 403  # nobody says where it comes from
    assert ask(edge, "POST", "/orders", at=WWW, body=b"{}", headers={"origin": "https://evil.example"}).status == 403
    assert ask(edge, "POST", "/orders", at=WWW, body=b"{}", headers={"origin": f"https://{API}"}).status == 403
    assert ask(edge, "POST", "/orders", at=WWW, body=b"{}", headers=own).status == 401
    assert ask(edge, "GET", "/orders/1", at=WWW, headers={"sec-fetch-mode": "cors"}).status == 401
    forged = {"cookie": f"IdToken={edge.signers[WWW].token()}; OauthExpires=9999999999; OauthHMAC=AAAA; BearerToken=x"}
    assert ask(edge, "GET", "/orders/1", at=WWW, headers=forged).status == 302
    assert ask(edge, "GET", "/orders/1", at=WWW, token=edge.signers[WWW].token()).status == 302
    state = base64.urlsafe_b64encode(json.dumps({"url": "https://evil.example/"}).encode()).decode()
    assert ask(edge, "GET", f"/oauth2/callback?code=x&state={state}", at=WWW).status in (401, 403)


def test_leaving_ends_the_session_at_the_issuer_too(edge: Edge) -> None:
    answer = ask(edge, "GET", "/logout", at=WWW)
    assert (answer.status, answer.headers["location"].split("?")[0]) == (302, f"https://{LOGIN}:8443/ui/vault/logout")


def test_of_the_issuer_only_what_a_login_needs_is_open(edge: Edge) -> None:
    before = len(edge.asked)
    for method, path in (("GET", "/ui/vault"), ("GET", "/v1/sys/health"), ("POST", "/v1/sys/capabilities-self")):
        assert ask(edge, method, path, at=LOGIN, body=b"" if method == "POST" else None).status == 200
    asked = "/v1/identity/oidc/provider/www-estate-example/authorize?client_id=x"
    assert ask(edge, "GET", asked, at=LOGIN).status == 200
    passed = len(edge.asked)
    assert passed == before + 4
    for method, path in (
        *(("GET", "/v1/sys/mounts"), ("POST", "/v1/sys/seal"), ("GET", "/v1/secret/data/x"), ("LIST", "/v1/auth")),
        *(("GET", "/v1/identity/oidc/provider/www-estate-example/.well-known/keys"), ("PUT", "/v1/sys/health")),
        *(("POST", "/v1/identity/oidc/provider/www-estate-example/token"), ("GET", "/v1/auth/token/lookup-self")),
        *(("GET", "/ui/../v1/sys/mounts"), ("GET", "/ui/..;/v1/sys/mounts"), ("GET", "/"), ("POST", "/ui/vault")),
        ("GET", "/v1/identity/oidc/provider/other/authorize"),
    ):
        assert ask(edge, method, path, at=LOGIN).status == (400 if method == "LIST" else 404), path
    assert ask(edge, "POST", "/v1/sys/capabilities-self", at=LOGIN, body=b"x" * 20_000).status == 413
    assert len(edge.asked) == passed


def test_passwords_are_not_guessed(edge: Edge) -> None:
    login = "/v1/auth/userpass/login/alice"
    answers = [ask(edge, "POST", login, at=LOGIN, body=b"{}") for _ in range(d.PASSWORD_RATE[0] + 1)]
    assert [one.status for one in answers] == [200] * d.PASSWORD_RATE[0] + [429]
    assert ask(edge, "POST", "/v1/auth/userpass/login/bob", at=LOGIN, body=b"{}").status == 429
    assert ask(edge, "GET", "/ui/vault", at=LOGIN).status == 200


def test_a_started_edge_warns_of_nothing(edge: Edge) -> None:
    assert ask(edge, "GET", "/items").status == 200
    assert [line for line in edge.log.read_text().splitlines() if "eprecat" in line] == []


# --- keys for sidecars -----------------------------------------------------------------------------------------------


def keys(edge: Edge, who: str, name: str = "users", method: str = "GET") -> int:
    tls = context(edge.folder / "id" / who)
    line = http.client.HTTPSConnection("127.0.0.1", edge.mesh, context=tls, timeout=5)
    try:
        line.request(method, f"/keys/{name}")
        return line.getresponse().status
    finally:
        line.close()


def test_keys_are_for_those_who_verify_with_them(edge: Edge) -> None:
    assert (keys(edge, "orders"), keys(edge, "payments"), keys(edge, "orders", "www-estate-example")) == (200, 200, 200)
    before = len(edge.asked)
    assert keys(edge, "catalog") == 403  # it verifies nothing
    assert (keys(edge, "orders", "other"), keys(edge, "orders", method="POST")) == (403, 403)
    with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
        keys(edge, "users")  # no identity
    assert len(edge.asked) == before


# --- changes ---------------------------------------------------------------------------------------------------------


def test_changes_under_load_lose_nothing_and_what_is_wrong_changes_nothing(tmp_path: Path) -> None:
    narrow, wide = edge_app().graph(), edge_app(wider=True).graph()
    with stand(tmp_path, wide, addresses(1_000_000)) as edge:
        stop, passed, lost = threading.Event(), list[int](), list[object]()

        def load() -> None:
            line = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
            line.sock = connect(edge)
            while not stop.is_set():
                try:
                    line.request("GET", "/items", headers={"host": API})
                    answer = line.getresponse()
                    answer.read()
                    (passed if answer.status == 200 else lost).append(answer.status)
                except Exception as error:
                    lost.append(error)
                    return
            line.close()

        clients = [threading.Thread(target=load) for _ in range(3)]
        for client in clients:
            client.start()
        try:
            for number in range(20):
                mount(edge, narrow if number % 2 == 0 else wide)
                eventually(partial(served, edge, 404 if number % 2 == 0 else 200), "it is so")
            mount(edge, narrow, {"routes-api-estate-example.json": '{"resources": [{"@type": "nonsense"}]}'})
            eventually(lambda: '"alert"' in edge.said.read_text(), "it is told")
            text = (edge.run / "routes-api-estate-example.json").read_text()
            wrong = text.replace('"virtual_hosts"', '"unknown_field": 1, "virtual_hosts"', 1)
            told = edge.said.read_text().count('"alert"')
            mount(edge, narrow, {"routes-api-estate-example.json": wrong})
            eventually(lambda: edge.said.read_text().count('"alert"') > told, "an unknown field is told of, too")
            assert ask(edge, "GET", "/balance").status == 200  # of the last good state
        finally:
            stop.set()
            for client in clients:
                client.join(20)
        assert lost == []
        assert len(passed) > 1000
        assert edge.process is not None
        assert edge.process.poll() is None


def served(edge: Edge, status: int) -> bool:
    return all(ask(edge, "GET", path).status == status for path in ("/balance", "/states"))


def test_a_pod_that_leaves_sends_its_clients_away(tmp_path: Path) -> None:
    with stand(tmp_path) as edge:
        line = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=10)
        line.sock = connect(edge)
        line.request("GET", "/items", headers={"host": API})
        stays = line.getresponse()
        stays.read()
        assert stays.headers.get("connection") is None
        asked = threading.Thread(target=edge.says, args=("/leave",))
        asked.start()
        eventually(lambda: "leaving" in edge.said.read_text(), "the proxy is told")
        line.request("GET", "/items", headers={"host": API})
        last = line.getresponse()
        assert (last.status, last.headers["connection"]) == (200, "close")
        last.read()
        asked.join(30)
        assert not asked.is_alive()
