"""Opaque tokens: remembered as briefly as was said, and refused whenever anything is not as it should be."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Value
from hypothesis import given
from hypothesis import strategies as st

from garrison_edge import introspection, payload
from garrison_edge.contract import Request
from garrison_edge.introspection import Introspection, Issuer
from garrison_edge.problem import Refused

NOW = 1_000_000.0
GOOD: dict[str, Any] = {"active": True, "iss": "https://i.example", "aud": "shop", "sub": "ann", "exp": int(NOW) + 20}


class World:
    """An issuer that answers what it is told, and a clock that is set."""

    def __init__(self, cache: int = 0, **said: Any) -> None:
        self.now, self.asked, self.answer = NOW, 0, (200, json.dumps(GOOD | said).encode())
        issuer = Issuer("https://i.example/t", "edge", Path("secret"), GOOD["iss"], ("shop",), cache=cache)
        self.it = Introspection(issuer, self.ask, lambda: self.now)

    def ask(self, token: str) -> tuple[int, bytes]:
        self.asked += 1
        if self.answer[0] == 0:
            raise TimeoutError
        return self.answer

    def status(self, *authorization: str) -> int:
        try:
            asyncio.run(
                self.it.judge(Request("GET", "/introspect/a", {"authorization": authorization or ["Bearer t"]}))
            )
        except Refused as refused:
            return refused.status
        return 200


def test_claims_of_an_active_token() -> None:
    told = dict(asyncio.run(World().it.judge(Request("GET", "/", {"authorization": ["Bearer t"]}))))
    assert json.loads(base64.urlsafe_b64decode(told["x-introspected-claims"] + "==")) == GOOD
    assert read(told["x-introspected-payload"]) == GOOD
    assert len(told) == 2


def read(text: str) -> Any:
    """As protobuf itself reads it."""
    value = Value.FromString(base64.b64decode(text))
    return json_format.MessageToDict(value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda one: st.lists(one) | st.dictionaries(st.text(), one),
)


@given(st.dictionaries(st.text().filter(lambda name: name != "scope"), JSON))
def test_the_proxy_reads_what_the_issuer_said(claims: dict[str, Any]) -> None:
    assert read(payload.written(claims)) == claims


def test_scopes_are_a_list() -> None:
    assert read(payload.written({"scope": "read write"})) == {"scope": ["read", "write"]}


def test_a_client_of_its_own_account_is_its_own_subject() -> None:
    machine = {name: value for name, value in GOOD.items() if name != "sub"} | {"client_id": "machine"}
    world = World()
    world.answer = (200, json.dumps(machine).encode())
    told = dict(asyncio.run(world.it.judge(Request("GET", "/", {"authorization": ["Bearer t"]}))))
    assert read(told["x-introspected-payload"])["sub"] == "machine"


def test_more_than_the_proxy_takes_is_no_answer() -> None:
    assert World(more="x" * 6_000).status() == 200
    assert World(more="x" * 6_200).status() == 503


def test_many_are_asked_about_at_once_and_no_more() -> None:
    world, under_way, most, lock = World(), 0, 0, threading.Lock()
    released = threading.Event()

    def ask(_: str) -> tuple[int, bytes]:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
            if under_way == introspection.AT_ONCE:
                released.set()
        assert released.wait(10)
        with lock:
            under_way -= 1
        return world.answer

    async def all_of_them() -> None:
        asked = [Request("GET", "/", {"authorization": [f"Bearer t{number}"]}) for number in range(100)]
        await asyncio.gather(*map(world.it.judge, asked))

    world.it._ask = ask
    asyncio.run(all_of_them())
    assert most == introspection.AT_ONCE


@pytest.mark.parametrize(
    "wrong",
    [
        {"active": False},
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "other"},
        {"aud": ["other", "shop2"]},
        {"aud": None},
        {"sub": 7},
        {"exp": int(NOW)},
        {"exp": "9999999999"},
        {"exp": None},
    ],
)
def test_any_claim_that_is_wrong_is_401(wrong: dict[str, Any]) -> None:
    assert World(**wrong).status() == 401
    assert World(aud=["other", "shop"]).status() == 200


@pytest.mark.parametrize(
    "answer",
    [(0, b""), (500, b"{}"), (401, b'{"active": true}'), (200, b"{"), (200, b"[]"), (200, b'{"active": "true"}')],
)
def test_an_issuer_that_does_not_answer_as_it_should_is_a_refusal_and_not_remembered(answer: tuple[int, bytes]) -> None:
    world = World(cache=30)
    good, world.answer = world.answer, answer
    assert world.status() == 503
    world.answer = good
    assert world.status() == 200


@pytest.mark.parametrize(
    "value", ["", "t", "bearer t", "Bearer", "Bearer ", "Bearer a b", "Basic x, Bearer t", "Bearer é"]
)
def test_what_is_no_bearer_token_is_not_asked_about(value: str) -> None:
    world = World()
    assert (world.status(value), world.asked) == (401, 0)
    assert (world.status("Bearer t", "Bearer t"), world.asked) == (400, 0)


def test_without_a_cache_a_revoked_token_is_refused_at_once() -> None:
    world = World()
    assert (world.status(), world.status(), world.asked) == (200, 200, 2)
    world.answer = (200, b'{"active": false}')
    assert (world.status(), world.asked) == (401, 3)


def test_the_cache_ends_when_it_should_and_with_the_token() -> None:
    world = World(cache=10)
    assert (world.status(), world.status(), world.asked) == (200, 200, 1)
    world.now += 9.9
    assert (world.status(), world.asked) == (200, 1)
    world.now += 0.2
    assert (world.status(), world.asked) == (200, 2)
    short = World(cache=30, exp=int(NOW) + 2)
    assert short.status() == 200
    short.now += 2.1
    assert (short.status(), short.asked) == (401, 2)


def test_a_refusal_is_remembered_for_five_seconds() -> None:
    world = World(active=False)
    assert (world.status(), world.status(), world.asked) == (401, 401, 1)
    world.now += 5.1
    world.answer = (200, json.dumps(GOOD).encode())
    assert (world.status(), world.asked) == (200, 2)


def test_what_is_remembered_is_bounded_and_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspection, "ENTRIES", 3)
    world = World(cache=30)
    for index in range(10):
        world.status(f"Bearer planted-{index}")
    assert len(world.it._known) == 3
    assert "planted" not in str(world.it._known)


@pytest.mark.parametrize(
    "change", [{"endpoint": "http://i.example"}, {"cache": 31}, {"cache": -1}, {"audiences": []}, {"more": 1}]
)
def test_a_configuration_that_is_wrong_is_none(change: dict[str, Any], tmp_path: Path) -> None:
    said = {"endpoint": "https://i.example/t", "client": "edge", "secret": "s", "issuer": "i", "audiences": ["a"]}
    file = tmp_path / "issuer.json"
    file.write_text(json.dumps({"people": said}))
    assert Issuer.read(file)["people"].cache == 0
    file.write_text(json.dumps({"people": said | change}))
    with pytest.raises(ValueError, match=r"issuer\.json|people: "):
        Issuer.read(file)
