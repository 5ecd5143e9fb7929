"""Money is moved by somebody outside, asked through the egress gateway by payments alone, once for each order."""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cluster import live
from cluster.estate import ask, once, order
from cluster.live import CLUSTER, eventually, kubectl
from cluster.live_pods import Place, inside
from garrison import defaults as d
from garrison.words import Ref
from harness import entrance, provider, shell, visit
from harness.authority import Authority
from harness.errors import HarnessError

API, PORT = "api.estate.example", entrance.PORTS.get(CLUSTER, 0)
# Runs in the application of payments, where the provider is its own proxy's; prints status and body.
CALL = """
import json, os, sys, urllib.error, urllib.request
method, path, key = sys.argv[1:]
headers = {"content-type": "application/json", "idempotency-key": "none"}
if key == "own":
    headers["authorization"] = "Bearer " + open(os.environ["PSP_API_KEY_FILE"]).read().strip()
body = b"{}" if method == "POST" else None
request = urllib.request.Request(os.environ["PSP_URL"] + path, body, headers, method=method)
try:
    answer = urllib.request.urlopen(request, timeout=20)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, answer.read().decode()]))
"""
AT_ONCE = 8  # pods that are looked at side by side
KEY = 'import os; print(open(os.environ["PSP_API_KEY_FILE"]).read().strip())'
GATEWAY_LOG = ("logs", "-n", "egress", "-l", f"{d.NAME}={d.EGRESS.name}", "--tail=100")
PAYMENTS = ("exec", "-n", "bank", "deploy/payments", "-c", "app", "--", "/usr/bin/python3", "-c")


def call(method: str, path: str, key: str = "none") -> tuple[int, str]:
    """What payments gets for a request of its own to the provider."""
    status, body = json.loads(kubectl(*PAYMENTS, CALL, method, path, key))
    return int(status), str(body)


def address() -> str:
    found = provider.look(CLUSTER)
    assert found and found.address, "the provider runs"
    return found.address


def at_provider(path: str) -> Any:
    """What the provider itself says, asked from this machine with the merchant's key."""
    trust = ssl.create_default_context(cafile=provider.folder(CLUSTER) / "ca.pem")
    with (
        socket.create_connection((address(), 443), 20) as plain,
        trust.wrap_socket(plain, server_hostname=provider.HOST) as line,
    ):
        made = http.client.HTTPSConnection(provider.HOST)
        made.sock = line
        made.request("GET", path, headers={"authorization": f"Bearer {kubectl(*PAYMENTS, KEY).strip()}"})
        answer = made.getresponse()
        assert answer.status == 200, answer.read()
        return json.loads(answer.read())


def charges(reference: str) -> list[dict[str, Any]]:
    """What the provider took for an order."""
    found: list[dict[str, Any]] = at_provider(f"/v1/charges?reference={reference}")
    return found


def at_edge(key: str, token: str) -> dict[str, Any]:
    """An order as a program outside places it."""
    body = {"customer": "test", "items": [{"id": "hammer", "quantity": 1}]}
    headers = {"authorization": f"Bearer {token}", "idempotency-key": key}
    with visit.connected(API, PORT, visit.authorities(CLUSTER)) as line:
        made = http.client.HTTPSConnection(API, PORT)
        made.sock = line
        made.request("POST", "/orders", json.dumps(body), headers | {"content-type": "application/json"})
        answer = made.getresponse()
        document: dict[str, Any] = json.loads(answer.read())
        assert answer.status == 201, document
        return document


@contextmanager
def restarted() -> Iterator[None]:
    """Whatever is done to the provider, it is there again afterwards, where the stack knows it."""
    before = address()
    try:
        yield
    finally:
        shell.run(["docker", "restart", provider.name(CLUSTER)], what="restarting the provider")
        provider.await_answer(address(), provider.folder(CLUSTER) / "ca.pem", provider.SECONDS)
        assert address() == before, "Docker gave it another address: `make up` tells the stack"
        eventually(lambda: call("POST", "/v1/charges", "own")[0] == 400, "the provider is reached again")


def test_an_order_through_the_edge_is_charged_at_the_provider_once() -> None:
    key, token = secrets.token_hex(8), visit.token(CLUSTER)  # a key is its user's
    placed, again = at_edge(key, token), at_edge(key, token)
    assert placed == again
    (theirs,) = charges(placed["id"])
    assert (theirs["amount"], theirs["currency"]) == (placed["total"]["amount"], placed["total"]["currency"])
    status, _, ours = ask("bank/payments", "GET", f"/charges/{placed['charge_id']}")
    assert (status, ours["psp_reference"]) == (200, theirs["id"])


def test_a_refund_is_given_back_there_too() -> None:
    placed = order(item="anvil", quantity=1)
    claim = {"cover_id": "cover-1", "charge_id": placed["charge_id"], "amount": {"amount": 500, "currency": "EUR"}}
    status, _, settled = ask("insurance/claims", "POST", "/claims", claim)
    assert status == 201, settled
    assert [one["refunded"] for one in charges(placed["id"])] == [500]


def test_what_the_provider_declines_is_no_order() -> None:
    placed = order()  # the control
    assert len(charges(placed["id"])) == 1
    reference = f"r-{secrets.token_hex(8)}"
    body = {"reference": reference, "amount": {"amount": 10**9, "currency": "EUR"}}
    status, kind, declined = ask("bank/payments", "POST", "/charges", body)
    assert (status, kind.split(";")[0]) == (402, "application/problem+json")
    assert declined["type"] == "urn:garrison:problem:declined"
    assert charges(reference) == []


def test_the_declared_operations_alone_get_there() -> None:
    assert call("POST", "/v1/charges", "own")[0] == 400, "it is asked, and told what is lacking"
    assert call("POST", "/v1/charges")[0] == 401, "the provider's own answer: no key"
    for method, path in (("GET", "/v1/charges"), ("GET", "/v1/charges/1"), ("DELETE", "/v1/charges"), ("POST", "/")):
        assert call(method, path, "own") == (403, "RBAC: access denied")


def pods(*spaces: str) -> dict[Ref, str]:
    """Every running pod of the estate in these namespaces, and the workload that it is of."""
    found = [pod for space in spaces for pod in live.get("pods", "-n", space)["items"]]
    return {
        Ref(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod["metadata"]["labels"].get(d.NAME, "")
        for pod in found
        if pod["status"]["phase"] == "Running"
    }


def gateway() -> Place:
    """The network of a pod of the one way out."""
    one = next(iter(pods(d.EGRESS.namespace)))
    return inside(one.namespace, one.name)


def test_no_pod_reaches_the_provider_or_any_address_outside_by_itself() -> None:
    assert gateway().connect(address(), 443) == "connected", "the control"
    tried = pods("shop", "bank", "insurance", "edge")
    assert {*tried.values()} >= {"catalog", "orders", "payments"}
    outside = (address(), "192.0.2.1")

    def reached(one: Ref) -> list[str]:
        place = inside(one.namespace, one.name)
        return [where for where in outside if place.connect(where, 443) != "refused"]

    with ThreadPoolExecutor(AT_ONCE) as pool:  # each waits for a refusal
        found = dict(zip(tried, pool.map(reached, tried), strict=True))
    assert found == {one: [] for one in tried}, "payments, too, goes by the gateway"


def test_the_gateway_reaches_that_address_and_port_alone() -> None:
    assert gateway().connect(address(), 443) == "connected", "the control"
    node = live.get("nodes")["items"][0]["status"]["addresses"][0]["address"]
    listening = [("10.96.0.1", 443), (node, 6443), (node, 10250)]
    assert [Place(live.nodes()[0]).connect(*place) for place in listening] == ["connected"] * 3
    for where, port in (*listening, ("192.0.2.1", 443), ("169.254.169.254", 443)):
        assert gateway().connect(where, port) == "refused", f"{where}:{port}"


def test_without_the_provider_an_order_is_not_placed_and_later_it_is_charged_once() -> None:
    key = secrets.token_hex(8)
    body = {"customer": "test", "items": [{"id": "hammer", "quantity": 1}]}
    with restarted():
        shell.run(["docker", "stop", provider.name(CLUSTER)], what="stopping the provider")
        status, kind, problem = once("shop/orders", "POST", "/orders", body, key, "unpaid", visit.token(CLUSTER))
        assert (status, kind.split(";")[0]) == (503, "application/problem+json"), problem
    placed = order(key=key, quantity=1)
    assert len(charges(placed["id"])) == 1


def test_a_provider_that_another_authority_vouches_for_is_refused(tmp_path: Path) -> None:
    """With the right name and at the right address: only who signed its certificate is another."""
    place = provider.folder(CLUSTER)
    kept = {name: (place / name).read_bytes() for name in ("tls.crt", "tls.key")}
    forged = Authority.fresh("another authority").issue(tmp_path / "forged", dns=provider.HOST)
    assert call("POST", "/v1/charges", "own")[0] == 400, "the control"
    try:
        with restarted():
            try:
                for name in kept:
                    (place / name).write_bytes((forged / name).read_bytes())
                shell.run(["docker", "restart", provider.name(CLUSTER)], what="restarting the provider")
                with pytest.raises(HarnessError, match="certificate"):
                    provider.await_answer(address(), place / "ca.pem", provider.SECONDS)
                eventually(lambda: call("POST", "/v1/charges", "own")[0] == 503, "a refusal")
                eventually(lambda: "CERTIFICATE_VERIFY_FAILED" in kubectl(*GATEWAY_LOG), "its reason in the log")
            finally:
                for name, content in kept.items():
                    (place / name).write_bytes(content)
    finally:
        assert provider.there(CLUSTER)
