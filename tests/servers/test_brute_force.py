"""Somebody who guesses: throttled, to no avail, and at nobody else's cost. A real edge, a real issuer."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from garrison import defaults as d
from garrison.prove.expect.messages import Message
from garrison.prove.look.entry import Entry
from servers.edges import CLUSTER
from servers.proxies import eventually
from servers.test_login import Place, place  # noqa: F401 a fixture
from servers.users import LOCKOUT
from unit.served import API, LOGIN

GUESSES, TOKENS, AT_ONCE = 1_000, 10_000, 500
STRANGER, FLOOD = "127.0.0.2", "127.0.0.3"


def entry(place: Place) -> Entry:  # noqa: F811
    return Entry("127.0.0.1", place.edge.port, Path(place.users.bao.ca_file), 20.0, CLUSTER.entrance.port)


def message(host: str, method: str, path: str, token: str = "", body: bytes = b"") -> Message:
    headers = (("authorization", f"Bearer {token}"),) if token else ()
    return Message(method, path, f"{host}:{CLUSTER.entrance.port}", host, headers, body, "1.3")


def login(name: str, password: str) -> Message:
    body = json.dumps({"password": password}).encode()
    return message(LOGIN, "POST", f"/v1/auth/userpass/login/{name}", body=body)


def test_a_thousand_wrong_passwords_are_a_few_tries_and_lock_nobody_out_for_long(place: Place) -> None:  # noqa: F811
    victim = place.users.person("victim", customer="1")
    bearer = place.users.token(place.users.session("other", place.users.person("other", customer="42")))
    stranger, everybody = replace(entry(place), source=STRANGER), entry(place)
    started, statuses, served = time.monotonic(), Counter[int](), Counter[int]()
    for number in range(GUESSES):
        statuses[stranger.send(login("victim", f"guess-{number}")).status] += 1
        if number % 100 == 0:
            served[everybody.send(message(API, "GET", "/orders/42", bearer)).status] += 1
    requests, seconds = d.PASSWORD_RATE
    tries = requests + (time.monotonic() - started) * requests / seconds + 1
    assert set(statuses) <= {400, 429}
    assert statuses[400] <= tries, statuses
    assert statuses[429] >= GUESSES - tries
    assert served == {200: GUESSES // 100}, "the others"
    time.sleep(LOCKOUT)  # what is stated: so long a stranger can lock somebody out, and no longer
    eventually(lambda: everybody.send(login("victim", victim)).status == 200, "the victim comes in", 30)


def test_ten_thousand_invalid_tokens_are_throttled_reach_no_service_and_slow_nobody_down(place: Place) -> None:  # noqa: F811
    bearer = place.users.token(place.users.session("calm", place.users.person("calm", customer="42")))
    forged = bearer[:-8] + ("A" * 8 if bearer[-8:] != "A" * 8 else "B" * 8)
    everybody, before = entry(place), len(place.edge.seen)
    statuses, served, started = Counter[int](), Counter[int](), time.monotonic()
    for _ in range(TOKENS // AT_ONCE):
        statuses += at_once(place, forged)
        served[everybody.send(message(API, "GET", "/orders/42", bearer)).status] += 1
    assert sum(statuses.values()) == TOKENS
    requests, seconds = d.ADDRESS_RATE
    looked_at = requests + (time.monotonic() - started) * requests / seconds + AT_ONCE
    assert set(statuses) <= {401, 429}, statuses
    assert statuses[401] <= looked_at, "what is over the limit of an address is not even looked at"
    assert served == {200: TOKENS // AT_ONCE}
    assert len(place.edge.seen) - before == TOKENS // AT_ONCE, "the service's own counter"


def at_once(place: Place, token: str) -> Counter[int]:  # noqa: F811
    """Many requests, one after the other on one connection as long as that is kept."""
    context = ssl.create_default_context(cafile=place.users.bao.ca_file)
    headers = {"host": f"{API}:{CLUSTER.entrance.port}", "authorization": f"Bearer {token}"}
    found: Counter[int] = Counter()
    line: http.client.HTTPConnection | None = None
    while sum(found.values()) < AT_ONCE:
        if line is None:
            line = http.client.HTTPConnection(API)
            plain = socket.create_connection(("127.0.0.1", place.edge.port), 20, (FLOOD, 0))
            line.sock = context.wrap_socket(plain, server_hostname=API)
        try:
            line.request("GET", "/orders/42", headers=headers)
            answer = line.getresponse()
            answer.read()
            found[answer.status] += 1
            closed = answer.will_close
        except (http.client.HTTPException, ConnectionError):
            closed = True
        if closed:
            line.close()
            line = None
    if line:
        line.close()
    return found
