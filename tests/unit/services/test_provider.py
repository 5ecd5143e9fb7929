"""The payment provider as a program: HTTPS by its own authority, one key, and one outcome for each request and key."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx
import pytest

from harness import paths
from harness.ports import free_port
from provider.account import CAPACITY, LIMIT, Account, Refused
from unit.authority import Authority

HOST, KEY = "api.psp.example", "planted-psp-key"
CHARGE = {"reference": "order-1", "amount": 1000, "currency": "EUR"}


@dataclass
class Running:
    folder: Path
    port: int
    process: subprocess.Popen[str]

    def client(self, key: str = KEY) -> httpx.Client:
        trust = ssl.create_default_context(cafile=self.folder / "ca.pem")
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=f"https://127.0.0.1:{self.port}", verify=trust, headers=headers, timeout=20)

    def ask(self, method: str, path: str, body: object = None, *, key: str = KEY, once: str = "k1") -> httpx.Response:
        with self.client(key) as client:
            headers = {"idempotency-key": once} if once else {}
            return client.request(method, path, json=body, headers=headers, extensions={"sni_hostname": HOST})


@pytest.fixture
def psp(tmp_path: Path) -> Iterator[Running]:
    Authority.fresh("psp").issue(tmp_path, dns=HOST)
    (tmp_path / "key").write_text(sha256(KEY.encode()).hexdigest())
    port = free_port()
    env = {"HOST": "127.0.0.1", "PORT": str(port), "API_KEY_SHA256_FILE": str(tmp_path / "key")}
    env |= {"TLS_CERTIFICATE_FILE": str(tmp_path / "tls.crt"), "TLS_KEY_FILE": str(tmp_path / "tls.key")}
    with start(**env) as process:
        assert process.stdout
        assert "listening" in process.stdout.readline()
        yield Running(tmp_path, port, process)
        process.kill()


def start(**env: str) -> subprocess.Popen[str]:
    known = {"PATH": os.environ["PATH"], "PYTHONPATH": str(paths.REPO / "services"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "provider"]
    return subprocess.Popen(command, env=known | env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_charge_is_made_once_and_can_be_looked_up(psp: Running) -> None:
    made, again = (psp.ask("POST", "/v1/charges", CHARGE) for _ in range(2))
    assert (made.status_code, again.status_code, again.json()) == (201, 201, made.json())
    charge = made.json()
    assert psp.ask("GET", f"/v1/charges/{charge['id']}").json() == charge | {"refunded": 0}
    assert psp.ask("GET", "/v1/charges?reference=order-1").json() == [charge]
    refund = {"charge": charge["id"], "amount": 400, "currency": "EUR"}
    assert psp.ask("POST", "/v1/refunds", refund, once="k2").status_code == 201
    assert psp.ask("GET", f"/v1/charges/{charge['id']}").json()["refunded"] == 400


def test_only_the_merchants_key_counts_and_while_there_is_none_nobodys(psp: Running) -> None:
    assert psp.ask("POST", "/v1/charges", CHARGE).status_code == 201
    for wrong in ("", "another", f"{KEY}x", sha256(KEY.encode()).hexdigest()):
        assert psp.ask("POST", "/v1/charges", CHARGE, key=wrong, once="k2").status_code == 401
    (psp.folder / "key").unlink()
    for any_key in ("", KEY):
        assert psp.ask("POST", "/v1/charges", CHARGE, key=any_key).status_code == 401


def test_what_is_no_tls_or_says_nothing_holds_nobody_up(psp: Running) -> None:
    with socket.create_connection(("127.0.0.1", psp.port), 20):  # silent, and stays
        with socket.create_connection(("127.0.0.1", psp.port), 20) as plain:
            plain.sendall(b"POST /v1/charges HTTP/1.1\r\nhost: x\r\n\r\n")
            assert b"HTTP/1" not in plain.recv(4096)
        assert psp.ask("POST", "/v1/charges", CHARGE).status_code == 201


def test_what_is_no_request_is_refused_and_the_connection_goes_on(psp: Running) -> None:
    with psp.client() as client:
        for content in (b"", b"[]", b"{", b'{"amount": true}'):
            headers = {"idempotency-key": "k"}
            made = client.post("/v1/charges", content=content, headers=headers, extensions={"sni_hostname": HOST})
            assert made.status_code == 400
        assert client.get("/v1/nothing", extensions={"sni_hostname": HOST}).status_code == 404
        chunked = client.post("/v1/charges", content=iter([b"{}"]), extensions={"sni_hostname": HOST})
        assert chunked.status_code == 413
    assert psp.ask("POST", "/v1/charges", CHARGE, once="").status_code == 400


def test_it_ends_when_told_and_its_log_has_no_key(psp: Running) -> None:
    psp.ask("POST", "/v1/charges", CHARGE)
    psp.process.send_signal(signal.SIGTERM)
    out, err = psp.process.communicate(timeout=20)
    lines = [json.loads(line) for line in out.splitlines()]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [("POST", "/v1/charges", 201)]
    assert (psp.process.returncode, err, KEY in out) == (0, "", False)


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({}, "provider: TLS_CERTIFICATE_FILE is not set"),
        (
            {"TLS_CERTIFICATE_FILE": "/none", "TLS_KEY_FILE": "/none"},
            "provider: /none and /none are no certificate and its key: [Errno 2] No such file or directory",
        ),
    ],
)
def test_a_bad_setting_is_one_line(env: dict[str, str], line: str) -> None:
    out, err = start(**env).communicate(timeout=30)
    assert (out, err.strip()) == ("", line)


# --- the account -----------------------------------------------------------------------------------------------------


def test_a_refusal_is_kept_as_well_and_a_key_is_of_one_request() -> None:
    account = Account()
    account.charge("k1", CHARGE)
    with pytest.raises(Refused, match="another request"):
        account.charge("k1", CHARGE | {"amount": 1})
    with pytest.raises(Refused, match="another request"):
        account.refund("k1", CHARGE)
    for _ in range(2):
        with pytest.raises(Refused, match="not good"):
            account.charge("k2", CHARGE | {"amount": LIMIT + 1})
    assert len(account.of("order-1")) == 1


def test_refunds_stay_within_their_charge() -> None:
    account = Account()
    refund = {"charge": account.charge("k1", CHARGE)["id"], "amount": 600, "currency": "EUR"}
    account.refund("k2", refund)
    for key, change in (("k3", {}), ("k4", {"amount": 1, "currency": "USD"}), ("k5", {"amount": 1, "charge": "ch-x"})):
        with pytest.raises(Refused) as refused:
            account.refund(key, refund | change)
        assert refused.value.status == 402
    account.refund("k6", refund | {"amount": 400})


def test_it_keeps_no_more_than_it_can() -> None:
    account = Account()
    first = account.charge("k", CHARGE)
    for number in range(CAPACITY):
        account.charge(f"k{number}", CHARGE)
    assert len(account.of("order-1")) == CAPACITY
    with pytest.raises(Refused, match="no charge"):
        account.find(first["id"])
