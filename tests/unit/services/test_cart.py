"""The cart over a real connection: its operations, what it refuses, what it says of itself; the contract is the one
that is written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from cart.resp import Redis, Unavailable
from cart.store import Lines, Store
from common import cart_pb2 as cart_messages
from common import context
from common.cart_pb2 import AddRequest, ClearRequest, ClearResponse, GetRequest, Line
from common.cart_pb2 import Lines as LinesAnswer
from common.limits import MAX_QUANTITY
from common.rpc import NOT_SERVING, SERVING, Remote
from common.settings import SettingsError
from harness import paths
from harness.carts import Memory, running
from unit.services.conftest import Logged
from unit.services.keeping import Laws, cart

__all__ = ["cart"]
PROTO = paths.REPO / "services/common/cart.proto"
CALLER = "By=spiffe://e/ns/shop/sa/cart;URI=spiffe://estate.example/ns/shop/sa/orders"


@pytest.fixture
def store() -> Memory:
    return Memory()


class TestMemory(Laws):
    pass


@pytest.fixture
def address(store: Memory) -> Iterator[str]:
    with running(store) as found:
        yield found


@pytest.fixture
def remote(address: str) -> Iterator[Remote]:
    made = Remote(address)
    yield made
    made.close()


def said(answer: LinesAnswer) -> Lines:
    return [(line.item, line.quantity) for line in answer.lines]


def health(address: str, method: str = "grpc.health.v1.Health/Check") -> bytes:
    """Without a serializer: the bytes themselves, as a proxy asks."""
    with grpc.insecure_channel(address) as channel:
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{method}")
        return ask(b"", timeout=5)


def test_a_cart_is_filled_read_taken_and_cleared(remote: Remote) -> None:
    line = Line(item="nails", quantity=2)
    assert said(remote.call("/shop.Cart/Add", AddRequest(cart="c", line=line), LinesAnswer)) == [("nails", 2)]
    assert said(remote.call("/shop.Cart/Get", GetRequest(cart="c", order="o"), LinesAnswer)) == [("nails", 2)]
    remote.call("/shop.Cart/Clear", ClearRequest(cart="c", order="o"), ClearResponse)
    assert said(remote.call("/shop.Cart/Get", GetRequest(cart="c"), LinesAnswer)) == []
    assert said(remote.call("/shop.Cart/Get", GetRequest(cart="c", order="o"), LinesAnswer)) == [("nails", 2)]


@pytest.mark.parametrize(
    ("method", "request_", "code"),
    [
        ("Add", AddRequest(), "INVALID_ARGUMENT"),
        ("Add", AddRequest(cart="c", line=Line(item="../nails", quantity=1)), "INVALID_ARGUMENT"),
        ("Add", AddRequest(cart="c", line=Line(item="nails")), "INVALID_ARGUMENT"),
        ("Add", AddRequest(cart="c", line=Line(item="nails", quantity=-1)), "INVALID_ARGUMENT"),
        ("Add", AddRequest(cart="full", line=Line(item="nails", quantity=1)), "FAILED_PRECONDITION"),
        ("Get", GetRequest(cart="a:b"), "INVALID_ARGUMENT"),
        ("Get", GetRequest(cart="c", order="o o"), "INVALID_ARGUMENT"),
        ("Clear", ClearRequest(cart="c" * 65), "INVALID_ARGUMENT"),
        ("Drop", GetRequest(cart="c"), "UNIMPLEMENTED"),
    ],
)
def test_what_is_wrong_is_refused(remote: Remote, store: Memory, method: str, request_: Message, code: str) -> None:
    store.add("full", "nails", MAX_QUANTITY)
    with pytest.raises(grpc.RpcError) as refused:
        remote.call(f"/shop.Cart/{method}", request_, LinesAnswer)
    assert refused.value.code().name == code
    assert store.carts.keys() == {"full"}


def test_a_store_that_is_away_is_said_and_seen(logged: Logged) -> None:
    store = Store(Redis("127.0.0.1", 1), days=1)
    with running(store) as address:
        assert health(address) == NOT_SERVING
        with pytest.raises(grpc.RpcError) as refused:
            Remote(address).call("/shop.Cart/Get", GetRequest(cart="c"), LinesAnswer)
    store.close()
    assert (refused.value.code().name, refused.value.details()) == ("UNAVAILABLE", "the carts cannot be reached")
    assert logged()[0]["message"] == "redis: ConnectionRefusedError"


def test_it_is_ready_when_its_store_is(address: str) -> None:
    assert health(address) == SERVING


def test_a_request_is_logged_with_its_ids_and_its_caller(address: str, logged: Logged) -> None:
    with grpc.insecure_channel(address) as channel:
        ask: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/shop.Cart/Get")
        metadata = (("x-request-id", "r-7"), ("x-correlation-id", "c-7"), ("x-forwarded-client-cert", CALLER))
        ask(GetRequest(cart="c").SerializeToString(), timeout=5, metadata=metadata)
    (line,) = logged()
    assert (line["method"], line["path"], line["status"]) == ("POST", "/shop.Cart/Get", "OK")
    assert (line["request_id"], line["correlation_id"]) == ("r-7", "c-7")
    assert line["caller"] == "spiffe://estate.example/ns/shop/sa/orders"


def test_ids_go_on_and_tokens_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str | bytes]] = []

    class Telling(grpc.GenericRpcHandler):
        def service(self, details: grpc.HandlerCallDetails) -> None:
            seen.append(dict(details.invocation_metadata))

    server = grpc.server(ThreadPoolExecutor(1), handlers=[Telling()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    for variable, value in ((context.request_id, "r-7"), (context.authorization, "Bearer t")):
        variable.set(value)
    try:
        with pytest.raises(grpc.RpcError):
            Remote(f"127.0.0.1:{port}").call("/shop.Cart/Get", GetRequest(cart="c"), LinesAnswer)
    finally:
        server.stop(None).wait()
        for variable in (context.request_id, context.authorization):
            variable.set("")
    assert (seen[0]["x-request-id"], seen[0].get("authorization")) == ("r-7", None)


@pytest.mark.parametrize("url", ["127.0.0.1:6379", "redis://127.0.0.1", "http://127.0.0.1:6379", "redis://h:x"])
def test_an_address_of_redis_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL='.*' is not an address, such as redis://"):
        Redis.of("REDIS_URL", url)


def test_nobody_at_the_address_is_one_kind_of_failure() -> None:
    with pytest.raises(Unavailable):
        Redis("127.0.0.1", 1).do("PING")


def test_the_generated_messages_are_those_of_the_contract() -> None:
    """Or: python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. common/cart.proto (grpcio-tools of protobuf 5)."""
    file = cart_messages.DESCRIPTOR
    messages = {
        name: {field.name: (_kind(field), field.number) for field in message.fields}
        for name, message in file.message_types_by_name.items()
    }
    methods = {
        method.name: (method.input_type.name, method.output_type.name)
        for method in file.services_by_name["Cart"].methods
    }
    assert (file.package, messages, methods) == _written(PROTO)


def _kind(field: Any) -> str:
    plain = {FieldDescriptor.TYPE_STRING: "string", FieldDescriptor.TYPE_INT32: "int32"}
    kind = field.message_type.name if field.message_type else plain[field.type]
    return f"repeated {kind}" if field.label == FieldDescriptor.LABEL_REPEATED else kind


def _written(proto: Path) -> tuple[str, dict[str, dict[str, tuple[str, int]]], dict[str, tuple[str, str]]]:
    text = re.sub("//.*", "", proto.read_text())
    messages = {
        name: {
            field: (kind.strip(), int(number)) for kind, field, number in re.findall(r"([\w ]+) (\w+) = (\d+);", body)
        }
        for name, body in re.findall(r"message (\w+) \{(.*?)\}", text, re.DOTALL)
    }
    methods = {name: (asked, given) for name, asked, given in re.findall(r"rpc (\w+)\((\w+)\) returns \((\w+)\)", text)}
    return re.findall(r"package (\w+);", text)[0], messages, methods
