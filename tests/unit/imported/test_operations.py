"""Operations come from OpenAPI documents and .proto files, whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from garrison.model.calls import Operation
from garrison_import import proto
from garrison_import.operations import Operations
from garrison_import.read.documents import ImportingError
from unit.imported.manifests import SHOP, env, line, planned, service, workload

PROTO = """
// Copyright: nobody
syntax = "proto3";
package shop.v1;
import "google/protobuf/empty.proto";
option go_package = "example.com/shop;shop";
/* service Commented { rpc No(A) returns (B); } */
message Item { string id = 1; map<string, int32> tags = 2 [deprecated = true]; oneof x { int32 a = 3; } message In {} }
enum Kind { UNKNOWN = 0; }
service CartService {
  option (some.option) = { key: "}" };
  rpc AddItem(Item) returns (google.protobuf.Empty) {}
  rpc Watch(stream Item) returns (stream .shop.v1.Item) { option (google.api.http) = { get: "/v1/{id}" body: "*" }; };
  rpc stream(stream) returns (Item);
}
service Health { rpc Check(Item) returns (Item); }
"""


def test_services_of_a_proto_file() -> None:
    assert [one.operations for one in proto.services(PROTO)] == [
        ("shop.v1.CartService/AddItem", "shop.v1.CartService/Watch", "shop.v1.CartService/stream"),
        ("shop.v1.Health/Check",),
    ]
    assert proto.services('syntax = "proto3"; service A { rpc B(C) returns (D); }')[0].operations == ("A/B",)


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("service A {", 1, "where a method of A begins"),
        ('syntax = "proto3";\nservice { }', 2, "has '{' where the name of a service is"),
        ("service A {\n rpc B(C) returns D; }", 2, "has 'D' where '(' is"),
        ("service A { rpc B(C) returns (D)\n}", 2, "has '}' where ';' is"),
        ("service A { rpc B(C) returns (D); rpc B(C) returns (D); }", 1, "has a method of A twice"),
        ("message A { string b = 1;", 1, "ends where '}' is missing"),
        ("message A { string b = 1; )", 1, "has ')' where another bracket is open"),
        ("package;", 1, "has ';' where the name of a package is"),
        ('option a = "x', 1, "is not of the language"),
        ("/* open", 1, "is not of the language of .proto files at '* open'"),
        ("hello world", 1, "has 'hello' where a declaration begins"),
        ("import ", 1, "ends inside of a statement"),
    ],
)
def test_what_is_no_proto_file_is_refused_with_its_line(text: str, line: int, expected: str) -> None:
    with pytest.raises(proto.ProtoError) as refused:
        proto.services(text)
    assert refused.value.line == line
    assert expected in str(refused.value)


@given(st.text(alphabet='service A{}rpc()returns;=<>[]",/*\n-1', max_size=80) | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        proto.services(text)
    except proto.ProtoError as error:
        assert 1 <= error.line <= text.count("\n") + 1


def test_a_service_belongs_to_the_workload_of_its_name(tmp_path: Path) -> None:
    file = tmp_path / "shop.proto"
    file.write_text(PROTO)
    given_ = Operations([], [str(file)], ["cart", "health-service", "orders"])
    assert given_.of("cart", "grpc")[0] == proto.services(PROTO)[0].operations
    assert given_.of("health-service", "grpc")[0] == ("shop.v1.Health/Check",)
    assert given_.of("orders", "grpc") == ((), "")
    assert given_.of("cart", "http") == ((), "")


def test_one_of_two_of_that_name_is_left_open_unless_it_is_named(tmp_path: Path) -> None:
    first, second = tmp_path / "a.proto", tmp_path / "b.proto"
    first.write_text("package a; service Cart { rpc Get(A) returns (B); }")
    second.write_text("package b; service CartService { rpc Get(A) returns (B); }")
    assert Operations([], [str(first), str(second)], ["cart"]).of("cart", "grpc") == ((), "")
    named = Operations([], [f"cart={second}", str(first)], ["cart"])
    assert named.of("cart", "grpc") == (("b.CartService/Get",), str(second))


OPENAPI = {
    "openapi": "3.0.3",
    "servers": [{"url": "https://api.example/v1/"}],
    "paths": {
        "/items/{itemId}": {"get": {}, "delete": {}, "parameters": [], "x-note": {}},
        "/items": {"post": {}},
        "/": {"get": {}},
    },
}


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump], ids=["JSON", "YAML"])
def test_operations_of_an_openapi_document(write: object, tmp_path: Path) -> None:
    file = tmp_path / "cart.api"
    file.write_text(write(OPENAPI))  # type: ignore[operator]
    found, where = Operations([f"cart={file}"], [], ["cart"]).of("cart", "http")
    assert found == ("GET /v1/", "POST /v1/items", "DELETE /v1/items/{item_id}", "GET /v1/items/{item_id}") or sorted(
        found
    ) == ["DELETE /v1/items/{item_id}", "GET /v1/", "GET /v1/items/{item_id}", "POST /v1/items"]
    assert where == str(file)
    assert not [breach for one in found for breach in Operation.parse(one).breaches(("calls", 0))]


def test_a_path_that_no_operation_can_have_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cart.json"
    file.write_text(json.dumps({"openapi": "3.0.0", "paths": {"/a b": {"get": {}}}}))
    with pytest.raises(ImportingError, match="'/a b' is no path that an operation can have"):
        Operations([f"cart={file}"], [], ["cart"])


def test_they_close_the_lines_of_their_callee_and_no_other(tmp_path: Path) -> None:
    api, rpc = tmp_path / "cart.json", tmp_path / "shop.proto"
    api.write_text(json.dumps({"openapi": "3.1.0", "paths": {"/items": {"get": {}}}}))
    rpc.write_text("service Ads { rpc Get(A) returns (B); }")
    made = planned(
        tmp_path,
        workload("web", env=env(CART="cart:7070", ADS="ads:9555", ORDERS="orders:80")),
        workload("ads"),
        service("ads", 9555, name="grpc"),
        *SHOP,
        openapi=[f"cart={api}"],
        proto=[str(rpc)],
    )
    assert (line(made, "cart").operations, line(made, "cart").open_) == (("GET /items",), "")
    assert (line(made, "ads").operations, line(made, "ads").open_) == (("Ads/Get",), "")
    assert (line(made, "orders").operations, line(made, "orders").open_) == ((), "operations")
