"""From an OpenAPI document to what a request must fit: everything that asserts, nothing else, and named problems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from garrison import App, IntentError
from garrison.derive import contract_filter, contracts
from garrison.model.contracts import Contract
from garrison.model.graph import Graph
from garrison.model.schemas import ContractError, alone, types
from unit.edge_agent.schemas import SCHEMAS, VALUES
from unit.estates import DIGEST, IMAGES

Json = dict[str, Any]
DOCUMENTS = Path(__file__).parents[2] / "docs" / "openapi"
NAMES = ("catalog", "claims", "cover", "orders", "payments")


def document(schema: Any, *, version: str = "3.1.0", **components: Any) -> Json:
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    paths = {"/a": {"post": {"requestBody": body}}}
    return {"openapi": version, "paths": paths, "components": {"schemas": components}}


def request(said: Json, path: str = "/a") -> Json:
    return Contract.parse(json.dumps(said)).request("POST", path)


def fits(said: Json, value: Any) -> bool:
    schema = request(said)["bodies"]["application/json"]
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


@settings(max_examples=200)
@given(SCHEMAS, VALUES)
def test_a_schema_that_stands_alone_says_the_same(schema: Any, value: Any) -> None:
    made = alone({"openapi": "3.1.0"}, schema)
    validator = jsonschema.Draft202012Validator
    assert validator(made).is_valid(value) == validator(schema).is_valid(value)
    if validator(schema).is_valid(value):
        kinds = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
        kind = kinds.get(type(value), "null")
        assert {kind} & types(made) or (kind == "number" and "integer" in types(made))


def test_references_are_brought_along_even_in_circles() -> None:
    tree = {
        "properties": {"left": {"$ref": "#/components/schemas/Tree"}, "n": {"$ref": "#/components/schemas/N/x/0~1"}}
    }
    said = document({"$ref": "#/components/schemas/Tree"}, Tree=tree, N={"x": {"0/": {"type": "integer"}}})
    assert fits(said, {"left": {"left": {"n": 1}}})
    assert not fits(said, {"left": {"left": {"n": "1"}}})
    assert "description" not in json.dumps(request(document({"description": "long", "type": "null"})))


def test_what_openapi_3_0_says_in_its_own_words() -> None:
    pet = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0, "exclusiveMinimum": True}}}
    pet["properties"]["name"] = {"type": "string", "nullable": True}  # type: ignore[index]
    said = document({"$ref": "#/components/schemas/Pet"}, version="3.0.3", Pet=pet)
    assert fits(said, {"age": 1, "name": None})
    assert not fits(said, {"age": 0})
    assert not fits(document(pet), {"name": None})  # in 3.1 `nullable` is no word


def test_whole_numbers_have_the_bounds_of_their_format_and_what_is_read_only_is_not_sent() -> None:
    said = document(
        {
            "properties": {"n": {"type": "integer", "format": "int32"}, "id": {"type": "string", "readOnly": True}},
            "required": ["n", "id"],
        }
    )
    assert fits(said, {"n": 2**31 - 1})
    assert not fits(said, {"n": 2**31})
    assert not fits(said, {"n": 1, "id": "x"})


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"$ref": "other.json#/a"}, "in another file"),
        ({"$ref": "#/components/schemas/Nobody"}, "nowhere in it"),
        ({"$ref": 7}, "in another file"),
        ({"$id": "x"}, "not supported"),
        ({"$dynamicRef": "#x"}, "not supported"),
        ({"properties": 7}, "no object"),
        ({"items": 7}, "no object"),
        ({"pattern": "(?=a)"}, "no bound"),
        ({"pattern": r"(a)\1"}, "no bound"),
        ({"patternProperties": {"(?<!a)b": {}}}, "no bound"),
        ({"required": 7}, "not of the form"),
    ],
)
def test_what_cannot_be_held_against_a_request_is_said(schema: Any, says: str) -> None:
    with pytest.raises(ContractError, match=says):
        request(document(schema))


@pytest.mark.parametrize("pattern", [r"^\\1$", r"\(?=", r"(?:a|b)", r"(?i)a", r"(?P<n>a)"])
def test_patterns_that_only_look_like_it_are_taken(pattern: str) -> None:
    assert request(document({"pattern": pattern}))


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ({"in": "cookie", "name": "c", "schema": {}}, "none passes the edge"),
        ({"in": "query", "name": "q"}, "has no schema"),
        ({"in": "query", "name": "q", "content": {}}, "has no schema"),
        ({"in": "query", "name": "q", "schema": {"type": "object"}}, "is an object"),
        ({"in": "query", "name": "q", "schema": {}, "style": "pipeDelimited"}, "another style"),
        ({"in": "query", "name": "q", "schema": {"type": ["string", "integer"]}}, "say one"),
        ({"in": "nowhere", "name": "q", "schema": {}}, "has no schema"),
        ("x", "no object"),
    ],
)
def test_parameters_that_cannot_be_judged_are_said(parameter: Any, says: str) -> None:
    said = document({})
    said["paths"]["/a"]["post"]["parameters"] = [parameter]
    with pytest.raises(ContractError, match=says):
        request(said)


def test_parameters_of_a_path_count_and_those_of_the_operation_count_more() -> None:
    said = document({})
    shared = {"in": "query", "name": "n", "schema": {"type": "integer"}}
    said["paths"] = {"/a/{id}": {"parameters": [shared, {**shared, "name": "m"}], **said["paths"]["/a"]}}
    said["paths"]["/a/{id}"]["post"]["parameters"] = [{**shared, "schema": {"type": "boolean"}}]
    rows = {row["name"]: row["types"] for row in request(said, "/a/{other}")["parameters"]}
    assert rows == {"id": ["string"], "m": ["integer"], "n": ["boolean"]}


def served(text: str, path: Path, *operations: str, hosts: int = 1) -> Graph:
    path.write_text(text)
    app = App("estate", trust_domain="estate.example", images=IMAGES)
    shop = app.namespace("shop")
    service = shop.service("a", image=f"registry.example/a{DIGEST}", port=8080, openapi=path)
    at = [app.host(f"h{index}.estate.example") for index in range(hosts)]
    for operation in operations:
        service.serves(operation, at=at, public="a test")
    return app.graph()


def test_a_document_that_cannot_be_used_is_a_problem_of_its_route(tmp_path: Path) -> None:
    with pytest.raises(IntentError, match=r"'POST /a' of 'shop/a' cannot be held to its OpenAPI document: .*nowhere"):
        served(json.dumps(document({"$ref": "#/x"})), tmp_path / "a.json", "POST /a")


def test_contracts_fit_one_config_map_or_are_refused(tmp_path: Path) -> None:
    said = document({"$ref": "#/components/schemas/Large"}, Large={"enum": ["x" * 490_000]})
    said["paths"] |= {f"/{name}": said["paths"]["/a"] for name in "bc"}
    text = json.dumps(said)
    assert served(text, tmp_path / "a.json", "POST /a", "POST /b", hosts=3)
    with pytest.raises(IntentError, match="of one ConfigMap"):
        served(text, tmp_path / "a.json", "POST /a", "POST /b", "POST /c")


def test_an_app_with_hosts_needs_the_image_of_the_edge() -> None:
    app = App("estate", trust_domain="estate.example", images={k: v for k, v in IMAGES.items() if k != "edge"})
    app.namespace("shop")
    assert app.graph()
    app.host("api.estate.example")
    with pytest.raises(IntentError, match="no pinned image for 'edge'"):
        app.graph()


def test_the_same_operation_at_two_hosts_is_there_once(tmp_path: Path) -> None:
    graph = served(json.dumps(document({})), tmp_path / "a.json", "POST /a", hosts=2)
    made = contracts.compiled(graph)
    assert (len(made["operations"]), made["hosts"]) == (1, {"h0.estate.example": [0], "h1.estate.example": [0]})
    assert contracts.digest(graph) == contracts.digest(Graph.from_json(graph.to_json()))
    assert all(contracts.has(graph, route) for route in graph.routes)
    assert contract_filter.per_route(graph, graph.routes[0]) == {}


def test_a_route_without_document_is_judged_by_nobody() -> None:
    app = App("estate", trust_domain="estate.example", images=IMAGES)
    service = app.namespace("shop").service("a", image=f"registry.example/a{DIGEST}", port=8080)
    service.serves("GET /a", at=app.host("h.estate.example"), public="a test")
    graph = app.graph()
    assert contracts.compiled(graph)["hosts"] == {}
    assert contract_filter.per_route(graph, graph.routes[0])[contract_filter.NAME]["disabled"] is True


@pytest.mark.parametrize("name", NAMES)
def test_the_services_documents_leave_nothing_open(name: str) -> None:
    """Each request body names its fields and no others; text has a pattern or a format, numbers have bounds."""
    contract = Contract.parse((DOCUMENTS / f"{name}.json").read_text())
    for method, path in contract.operations:
        made = contract.request(method, path)
        for schema in (made["parameters_schema"], *made["bodies"].values()):
            for part in _parts(schema):
                kind = part.get("type")
                assert kind != "object" or part["additionalProperties"] is False
                assert kind != "string" or {"pattern", "format", "enum", "const"} & part.keys()
                assert kind != "integer" or {"maximum", "exclusiveMaximum"} & part.keys()
                assert kind != "array" or "maxItems" in part


def _parts(schema: Any) -> list[Json]:
    if isinstance(schema, list):
        return [part for one in schema for part in _parts(one)]
    if not isinstance(schema, dict):
        return []
    return [schema, *(part for one in schema.values() for part in _parts(one))]
