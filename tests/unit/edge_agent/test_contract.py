"""Judging: against a second validator, and each kind of refusal beside what is near to it and passes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, quote_plus

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from garrison.model.contracts import Contract
from garrison_edge.contract import SCHEMA, Contracts, Request
from garrison_edge.problem import Refused
from unit.edge_agent.schemas import SCHEMAS, instances

Json = dict[str, Any]
HOST = "api.estate.example"
WORD = {"type": "string", "pattern": "^[a-z]{1,8}$"}
COUNT = {"type": "integer", "minimum": 1, "maximum": 100}


def contracts(*operations: Json) -> Contracts:
    return Contracts.read({"schema": SCHEMA, "hosts": {HOST: list(range(len(operations)))}, "operations": operations})


def document(*parameters: Json, body: Any = None, kind: str = "application/json", required: bool = True) -> Contract:
    entry: Json = {"parameters": list(parameters)}
    if body is not None:
        entry["requestBody"] = {"required": required, "content": {kind: {"schema": body}}}
    return Contract.parse(json.dumps({"openapi": "3.1.0", "paths": {"/a/{id}": {"post": entry}}}))


def compiled(*parameters: Json, **body: Any) -> Contracts:
    return contracts({"service": "shop/a", **document(*parameters, **body).request("POST", "/a/{id}")})


def parameter(place: str, name: str, schema: Any, **more: Any) -> Json:
    return {"in": place, "name": name, "schema": schema, "required": place == "path", **more}


def judged(it: Contracts, target: str = "/a/x", body: bytes = b"", **headers: str | list[str]) -> Refused | None:
    said = {"host": [HOST]} | ({"content-type": ["application/json"]} if body else {})
    for name, value in headers.items():
        said[name.replace("_", "-")] = [value] if isinstance(value, str) else value
    try:
        assert it.judge(Request("POST", target, said, body)) == "shop/a POST /a/{id}"
    except Refused as refused:
        return refused
    return None


def status(*arguments: Any, **named: Any) -> int:
    refused = judged(*arguments, **named)
    return refused.status if refused else 200


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(SCHEMAS, st.data())
def test_a_body_passes_where_another_validator_says_that_it_fits(schema: Any, data: st.DataObject) -> None:
    """`jsonschema`, of other people and in another language."""
    value = data.draw(instances(schema))
    it = compiled(body=schema)
    fits = jsonschema.Draft202012Validator(schema).is_valid(value)
    refused = judged(it, body=json.dumps(value).encode())
    assert (refused is None) == fits
    assert refused is None or (refused.status, refused.faults != ()) == (422, True)


@settings(max_examples=200)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_text_is_decoded_once(text: str) -> None:
    assume(text not in (".", ".."))
    it = compiled(
        parameter("path", "id", {"const": text}), parameter("query", "q", {"const": text}), body={"const": text}
    )
    body = json.dumps(text).encode()
    for query in (quote(text, safe=""), quote_plus(text)):
        assert judged(it, f"/a/{quote(text, safe='')}?q={query}", body) is None
    twice = quote(quote(text, safe=""), safe="")
    if twice != quote(text, safe=""):
        assert status(it, f"/a/{twice}?q={quote(text)}", body) == 422
        assert status(it, f"/a/{quote(text, safe='')}?q={twice}", body) == 422


QUERY = (
    parameter("query", "limit", COUNT),
    parameter("query", "tag", {"type": "array", "items": WORD, "maxItems": 2}),
    parameter("query", "ids", {"type": "array", "items": COUNT}, explode=False),
    parameter("query", "all", {"type": "boolean"}),
    parameter("query", "rate", {"anyOf": [{"type": "number", "maximum": 1}, {"type": "null"}]}),
    parameter("query", "colour", {"enum": ["red", "blue"]}),
)


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        *[("", 200), ("limit=1", 200), ("limit=100", 200), ("limit=0", 422), ("limit=101", 422), ("limit=", 422)],
        *[("limit", 422), ("limit=1.0", 422), ("limit=01", 422), ("limit=%31", 200), ("l%69mit=1", 200)],
        *[("limit=+1", 422), ("limit=1&limit=1", 400), ("limit=" + "9" * 5000, 422), ("limit=1e1", 422)],
        *[("tag=a", 200), ("tag=a&tag=b", 200), ("tag=a&tag=b&tag=c", 422), ("tag=A", 422), ("tag=a,b", 422)],
        *[("ids=1,2", 200), ("ids=1,x", 422), ("ids=1&ids=2", 400), ("all=true", 200), ("all=yes", 422)],
        *[("rate=0.5", 200), ("rate=1e-3", 200), ("rate=2", 422), ("rate=1e999", 422), ("rate=nan", 422)],
        *[("rate=null", 422), ("colour=red", 200), ("colour=green", 422), ("other=1", 422), ("&", 422), ("=1", 422)],
        *[("limit=%", 400), ("limit=%1", 400), ("limit=%ff", 400), ("colour=red%00", 400), ("%ff=1", 400)],
        *[("limit=\xff", 400), ("limit=1;x=2", 422), ("limit[]=1", 422)],
    ],
)
def test_queries(query: str, answer: int) -> None:
    assert status(compiled(*QUERY), f"/a/x?{query}" if query else "/a/x") == answer


def test_paths_and_headers() -> None:
    it = compiled(parameter("path", "id", COUNT), parameter("header", "X-Key", WORD, required=True))
    assert status(it, "/a/7", x_key="k") == 200
    assert status(it, "/a/7") == 422
    assert status(it, "/a/7", x_key=["k", "k"]) == 400
    assert status(it, "/a/7", x_key="k, k") == 422
    assert status(it, "/a/101", x_key="k") == 422
    assert status(it, "/a/", x_key="k") == 404
    assert status(it, "/a/7/", x_key="k") == 404
    assert status(it, "/A/7", x_key="k") == 404
    assert status(it, "/a/7", x_key="k", host="other.example") == 404
    assert status(it, "/a/7", x_key="k", host=f"{HOST.upper()}:443") == 200
    assert status(it, "/a/7", x_key="k", host=[HOST, HOST]) == 400


def test_bodies_by_type_presence_and_size() -> None:
    it = compiled(body={"type": "object"})
    assert status(it, body=b"{}") == 200
    assert status(it, body=b"{}", content_type="Application/JSON; charset=UTF-8") == 200
    for kind in ("text/plain", "", "application/json; charset=utf-16", "application/jsonx"):
        assert status(it, body=b"{}", content_type=kind) == 415
    assert status(it, body=b"{}", content_type=[]) == 415
    assert status(it, body=b"{}", content_type=["application/json"] * 2) == 400
    assert status(it, body=b"{}", content_encoding="gzip") == 415
    assert status(it, body=b"{}" + b" " * (1024 * 1024 - 2)) == 200
    assert status(it, body=b"{}" + b" " * (1024 * 1024 - 1)) == 413
    assert status(it) == 400
    assert status(compiled(body={}, required=False)) == 200
    assert status(compiled(), body=b"{}") == 400
    binary = compiled(body={"type": "string", "format": "binary"}, kind="image/png")
    assert status(binary, body=b"\x89PNG", content_type="image/png") == 200
    assert status(binary, body=b"\x89PNG") == 415


def test_a_refusal_names_the_field_and_never_the_value() -> None:
    line = {"type": "object", "properties": {"id": {}, "n/1": COUNT}, "required": ["id"], "additionalProperties": False}
    it = compiled(parameter("query", "q", WORD), body={"properties": {"items": {"items": line}}})
    body = b'{"items": [{"id": 1, "n/1": 4711}, {"n/1": 1, "more": "planted"}]}'
    refused = judged(it, "/a/x", body)
    assert refused is not None
    said = json.loads(refused.document("r-1"))
    assert {(one["in"], one["pointer"]) for one in said["errors"]} == {
        ("body", "/items/0/n~11"),
        ("body", "/items/1/id"),
        ("body", "/items/1/more"),
    }
    assert (said["status"], said["request_id"], said["title"]) == (422, "r-1", "Unprocessable Entity")
    refused = judged(it, "/a/x?q=PLANTED", body)
    assert refused is not None
    assert (refused.faults[0].place, refused.faults[0].pointer) == ("query", "/q")
    assert "planted" not in (refused.document("") + json.dumps(said).encode()).decode().lower()
    assert "4711" not in json.dumps(said)


def test_an_answer_is_bounded_whatever_is_wrong() -> None:
    it = compiled(body={"properties": {"z": {}}, "additionalProperties": False, "items": {"const": 1}})
    for value in ([2] * 10_000, {"x" * 1000 + str(index): 1 for index in range(1000)}):
        refused = judged(it, body=json.dumps(value).encode())
        assert refused is not None
        assert (len(refused.faults), len(refused.document("")) < 2500) == (8, True)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"schema": SCHEMA},
        {"schema": SCHEMA, "hosts": {HOST: [0]}, "operations": []},
        {"schema": SCHEMA, "hosts": {}, "operations": [{}]},
        {"schema": SCHEMA, "hosts": {}, "operations": ["x"]},
    ],
)
def test_what_is_no_contract_is_not_read(said: Json) -> None:
    with pytest.raises(ValueError, match="it is not of"):
        Contracts.read(said)


def test_a_pattern_without_a_bound_on_its_time_is_not_read() -> None:
    row = {"service": "shop/a", **document(body={}).request("POST", "/a/{id}")}
    row["bodies"] = {"application/json": {"pattern": "(?=a)b"}}
    with pytest.raises(ValueError, match="cannot be compiled"):
        contracts(row)
    row["bodies"] = {"application/json": {"pattern": "^(a+)+$"}}
    assert status(contracts(row), body=json.dumps("a" * 50_000 + "b").encode()) == 422


def test_newer_contracts_over_older_ones() -> None:
    old, new = compiled(parameter("query", "old", {})), compiled(parameter("query", "new", {}))
    assert status(new.over(old), "/a/x?new=1") == 200
    assert status(new.over(old), "/a/x?old=1") == 422
    assert status(Contracts({}).over(old), "/a/x?old=1") == 200
    assert status(new.over(Contracts({})), "/a/x?new=1") == 200
