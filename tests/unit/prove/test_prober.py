"""The probe tool against real servers on loopback, and what its observations are read as."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

import pytest

from garrison import defaults as d
from garrison.model.graph import Operation, Use
from garrison.prove.judge import classify
from garrison.prove.look import world
from garrison.prove.model import Attempt, Connect, Hold, Lease, LogIn, OwnTls, Request, Seen
from garrison.words import Ref
from prober import postgres, store, tls
from prober.batch import observe, run
from prober.net import AttemptError
from prober.scram import Scram
from prober.serve import Handler
from unit.prove.conftest import CALLEE, CALLER, Office, http, serving

TIMEOUT = 2.0
GET = Operation("GET", "/items/1")


def request(port: int, **tls: Any) -> dict[str, Any]:
    return {"action": "http", "host": "127.0.0.1", "port": port, "method": "GET", "path": "/", "tls": tls or None}


def read(spec: dict[str, Any]) -> Seen:
    return classify.read(Request(GET), observe(spec, TIMEOUT))


def own(authority: Office, uri: str = CALLER) -> dict[str, str]:
    files = authority.issue(uri)
    return {"certificate": files.certificate, "key": files.key}


def test_the_right_certificate_is_answered_and_the_servers_identity_is_seen(
    authority: Office, mutual: ssl.SSLContext
) -> None:
    with serving(http("404 Not Found", "{}"), mutual) as port:
        spec = request(port, **own(authority), trust=authority.bundle, peer=CALLEE)
        assert observe(spec, TIMEOUT)["peer"] == CALLEE
        assert read(spec).verdict == "allowed"


def test_a_server_with_another_identity_is_an_error_not_a_refusal(authority: Office, mutual: ssl.SSLContext) -> None:
    with serving(http("200 OK", "{}"), mutual) as port:
        assert read(request(port, **own(authority), trust=authority.bundle, peer=CALLEE)).verdict == "allowed"
        assert read(request(port, **own(authority), trust=authority.bundle, peer=CALLER)).verdict == "error"


def test_a_server_of_another_authority_is_an_error(authority: Office, stranger: Office, mutual: ssl.SSLContext) -> None:
    with serving(http("200 OK", "{}"), mutual) as port:
        assert read(request(port, **own(authority), trust=stranger.bundle)).verdict == "error"


@pytest.mark.parametrize("way", ["none", "stranger", "TLS 1.2", "plaintext"])
def test_what_mutual_tls_refuses_is_read_as_identity(
    way: str, authority: Office, stranger: Office, mutual: ssl.SSLContext
) -> None:
    with serving(http("200 OK", "{}"), mutual) as port:
        good = request(port, **own(authority))
        spec = {
            "none": request(port, trust=authority.bundle),
            "stranger": request(port, **own(stranger)),
            "TLS 1.2": request(port, **own(authority), maximum="1.2"),
            "plaintext": request(port),
        }[way]
        assert read(good).verdict == "allowed"
        seen = read(spec)
        assert (seen.verdict, seen.layer) == ("refused", "identity")


@pytest.mark.parametrize(("patience", "verdict"), [(60.0, "refused"), (0.0, "error")])
@pytest.mark.parametrize(
    ("attempt", "more", "layer"),
    [
        (Hold(), {"action": "hold"}, "authorization"),
        (OwnTls("api.example"), {"action": "inner", "inner": "api.example"}, "authorization"),
        (Request(GET), {"action": "http"}, "identity"),
    ],
)
def test_who_is_sent_away_when_a_handshake_may_have_taken_too_long_is_not_known_to_be_refused(
    patience: float,
    verdict: str,
    attempt: Attempt,
    more: dict[str, str],
    layer: str,
    authority: Office,
    mutual: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A proxy closes both without a word: on a rule after the handshake, and where that did not come in time."""
    monkeypatch.setattr(tls, "HANDSHAKE_SECONDS", patience)
    with serving(lambda connection: connection.close(), mutual) as port:
        seen = classify.read(attempt, observe(request(port, **own(authority)) | more, TIMEOUT))
    assert (seen.verdict, seen.layer) == (verdict, layer if verdict == "refused" else None)


def test_a_certificate_can_be_given_as_text(authority: Office, mutual: ssl.SSLContext) -> None:
    files = {name: Path(path).read_text() for name, path in own(authority).items()}
    with serving(http("200 OK", "{}"), mutual) as port:
        assert read(request(port, **files)).verdict == "allowed"


def test_an_unreadable_certificate_is_an_error(authority: Office, mutual: ssl.SSLContext) -> None:
    with serving(http("200 OK", "{}"), mutual) as port:
        missing = {"certificate": "/nowhere/tls.crt", "key": "/nowhere/tls.key"}
        assert read(request(port, **own(authority))).verdict == "allowed"
        assert read(request(port, **missing)).verdict == "error"


def test_nobody_listening_is_the_workload_and_not_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        spec = {"action": "connect", "host": "127.0.0.1", "port": port}
        assert classify.read(Connect(), observe(spec, TIMEOUT)).verdict == "allowed"
    seen = classify.read(Connect(), observe(spec, TIMEOUT))
    assert (seen.verdict, seen.layer) == ("refused", "workload")


def test_a_silent_server_is_an_error(authority: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.recv(65536)

    monkeypatch.setattr("prober.net.ANSWER_SECONDS", 0.3)
    with serving(nothing) as port:
        seen = classify.read(Request(GET), observe(request(port, trust=authority.bundle), 0.3))
        assert seen.verdict == "error"


def test_a_server_that_answers_after_the_head_is_heard(authority: Office, mutual: ssl.SSLContext) -> None:
    def hasty(connection: socket.socket) -> None:
        connection.recv(16)
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 19\r\n\r\nRBAC: access denied")

    with serving(hasty, mutual) as port:
        spec = request(port, **own(authority)) | {"method": "POST", "body": "x" * 100}
        assert read(spec).layer == "authorization"


def test_an_unknown_action_is_a_crash_and_the_batch_goes_on(mutual: ssl.SSLContext, authority: Office) -> None:
    with serving(http("200 OK", "{}"), mutual) as port:
        first, second = run([{"action": "dance"}, request(port, **own(authority))], TIMEOUT)
    assert first["error"].startswith("crash")
    assert second["status"] == 200


@pytest.mark.parametrize(("tickets", "verdict"), [(2, "allowed"), (0, "refused")])
def test_a_session_that_is_resumed_is_seen(
    tickets: int, verdict: str, authority: Office, mutual: ssl.SSLContext
) -> None:
    mutual.num_tickets = tickets
    resumed = Request(GET, credential="own", resumed=True)
    with serving(http("200 OK", "{}"), mutual) as port:
        found = observe(request(port, **own(authority)) | {"action": "resume"}, TIMEOUT)
        assert classify.read(resumed, found).verdict == verdict, found
        nobody = observe(request(port) | {"action": "resume"}, TIMEOUT)
        assert classify.read(resumed, nobody).verdict == "error", "the control: without an answer nothing is known"


def test_the_stand_in_application_tells_which_headers_a_claim_came_by() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        spec = request(port) | {"method": "POST", "body": "x", "headers": {"x-fine": "y"}}
        claims = Request(GET, claims=True)
        assert classify.read(claims, observe(spec, TIMEOUT)).verdict == "refused"
        everything = observe(spec | {"headers": dict.fromkeys(world.CLAIMS, world.CLAIM)}, TIMEOUT)
        server.shutdown()
    assert json.loads(everything["body"])["heard"] == list(world.CLAIMS), "and none is cut off"
    assert classify.read(claims, everything).verdict == "allowed"


def test_every_family_of_headers_that_dispute_a_request_is_claimed_or_kept_from_the_peer() -> None:
    """Those of the callee's own list that a probe tries: one for the method, the path, the host, the peer, the name."""
    removed = {c for c in world.CLAIMS if c in d.DISPUTED_HEADERS or c.startswith(d.DISPUTED_PREFIXES)}
    assert set(world.CLAIMS) - removed == {"host"}, "which is set anew"


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


def log_in(port: int, **more: Any) -> dict[str, Any]:
    names = {"user": "u", "password": "p", "database": "d"}
    return {"action": "postgres", "host": "127.0.0.1", "port": port, **names, **more}


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def test_a_database_without_a_rule_for_us_refuses() -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(message(b"E", b"SFATAL\0C28000\0Mno pg_hba.conf entry\0\0"))

    with serving(refuse) as port:
        seen = classify.read(LogIn("u", tls=False), observe(log_in(port), TIMEOUT))
    assert (seen.verdict, seen.layer) == ("refused", "database")


def test_a_database_that_is_starting_up_is_an_error() -> None:
    def starting(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(message(b"E", b"SFATAL\0C57P03\0Mthe database system is starting up\0\0"))

    with serving(starting) as port:
        assert classify.read(LogIn("u", tls=False), observe(log_in(port), TIMEOUT)).verdict == "error"


def test_a_database_that_answers_a_query_let_us_in() -> None:
    def welcome(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(message(b"R", struct.pack("!i", 0)) + message(b"Z", b"I"))
        connection.recv(65536)
        connection.sendall(message(b"D", b"\0\1\0\0\0\1u") + message(b"C", b"SELECT 1\0") + message(b"Z", b"I"))
        connection.recv(65536)

    with serving(welcome) as port:
        assert classify.read(LogIn("u", tls=False), observe(log_in(port), TIMEOUT)).verdict == "allowed"


def test_a_database_without_tls_is_seen() -> None:
    def no(connection: socket.socket) -> None:
        connection.recv(8)
        connection.sendall(b"N")

    with serving(no) as port:
        assert observe(log_in(port, tls={"maximum": "1.3"}), TIMEOUT)["error"] == "the server offers no TLS"


@pytest.mark.parametrize(
    ("then", "seen"),
    [
        ("", Seen("refused", "network", "rejected by ICMP")),
        ("log in again", Seen("error", None, "crash: a fresh lease was not accepted: none: icmp")),
        ("go on", Seen("error", None, "crash: a fresh lease was not accepted: none: icmp")),
    ],
)
def test_a_fresh_lease_that_is_stopped_is_a_finding_unless_it_is_the_control(
    then: Literal["", "log in again", "go on"], seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(_: Any, __: float, ___: str, method: str, path: str, ____: object) -> tuple[int, dict[str, Any]]:
        asked.append(f"{method} {path}")
        return 200, {"auth": {"client_token": "t"}, "lease_id": "l", "data": {"username": "u", "password": "p"}}

    def stopped(*_: object) -> dict[str, Any]:
        raise AttemptError("none", "icmp")

    asked: list[str] = []
    monkeypatch.setattr(store, "request", answer)
    monkeypatch.setattr(postgres, "connect", stopped)
    who = {"role": "r", "jwt": "j"}
    spec = {
        "action": "lease",
        **who,
        "path": "database/creds/c",
        "admin": who,
        "database": {"host": "", "port": 0},
        "then": then,
    }
    lease = Lease(Use(Ref("bank", "payments"), Ref("bank", "ledger"), "writer"), then)
    assert classify.read(lease, observe(spec, 1.0)) == seen
    assert asked[-1] == "PUT sys/leases/revoke-prefix/l", "the lease is ended all the same"


def test_scram_gives_the_proof_of_the_standards_own_example() -> None:
    exchange = Scram("pencil")  # RFC 7677 section 3
    exchange.bare = "n=user,r=rOprNGfwEbeRWgbNEkqO"
    challenge = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    assert exchange.final(challenge).endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "{", '{"attempts": 1}', "[]"])
def test_an_unreadable_batch_ends_in_one_line(text: str) -> None:
    env = {"PYTHONPATH": str(Path(__file__).parents[3] / "services")}
    done = subprocess.run(
        [sys.executable, "-m", "prober"], input=text, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
