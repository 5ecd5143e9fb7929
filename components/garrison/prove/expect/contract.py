"""What a service's OpenAPI document asks of a request: a good one, and one against each kind of rule that it has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from garrison.model.graph import Operation, Service
from garrison.prove.expect.fits import variables
from garrison.prove.expect.schemas import Schemas
from garrison.prove.trials import Shape, Try

JSON = "application/json"
PLAIN = "text/plain"
NO_SUCH_TYPE = "application/x-garrison-probe"
BODY = b"garrison probe: this is no valid request body\n"  # where there is no contract: no application acts on it
WITH_BODY = ("POST", "PUT", "PATCH")
DEPTH = 5_000
Wrong = tuple[Try, str, Shape]


@dataclass(frozen=True)
class Contract:
    """The part of a document that is about one operation; without a document nothing is asked."""

    operation: Operation
    document: Mapping[str, Any]
    template: str
    entry: Mapping[str, Any]

    @classmethod
    def of(cls, service: Service, operation: Operation) -> Contract:
        known = service.contract if service.openapi else None
        entry = known.entry(operation.method, operation.path) if known else None
        if known is None or entry is None:
            return cls(operation, {}, operation.path, {})
        shape = operation.segments
        template = next(
            path
            for method, path in known.operations
            if method == operation.method and Operation(method, path).segments == shape
        )
        return cls(operation, known.document, template, entry)

    @property
    def schemas(self) -> Schemas:
        return Schemas(self.document)

    @property
    def parameters(self) -> list[Mapping[str, Any]]:
        """Of the operation, and of its path where the operation does not say otherwise."""
        item = self.document.get("paths", {}).get(self.template, {})
        named = [self.schemas.plain(p) for p in (*item.get("parameters", ()), *self.entry.get("parameters", ()))]
        return [*{(p["in"], p["name"]): p for p in named}.values()]

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The schema of its JSON body."""
        if "requestBody" not in self.entry:
            return None
        content = self.schemas.plain(self.entry["requestBody"]).get("content", {})
        found: Mapping[str, Any] | None = content.get(JSON, {}).get("schema")
        return found

    def good(self) -> Shape:
        """A request that the document admits; raises NoSampleError where none could be made up."""
        shape = Shape(self.operation.method, self.operation.path)
        for parameter in self.parameters:
            if parameter["in"] == "path" or parameter.get("required"):
                shape = self._with(shape, parameter, self.schemas.sample(parameter.get("schema", {})))
        if self.body is not None:
            return shape.but(
                headers=(*shape.headers, ("content-type", JSON)), body=_dump(self.schemas.sample(self.body))
            )
        if not self.entry and self.operation.method in WITH_BODY:
            return shape.but(headers=(("content-type", PLAIN),), body=BODY)
        return shape

    def wrong(self) -> Iterator[Wrong]:
        """One request against each kind of rule of the document."""
        if not self.entry:
            return
        good, seen = self.good(), set[str]()
        yield Try.PARAMETER, "undeclared of query", good.but(query=(*good.query, ("garrison-probe", "1")))
        for parameter in self.parameters:
            for detail, shape in self._wrong_parameters(good, parameter):
                if (kind := f"{detail.split(' ')[0]} {parameter['in']}") not in seen:
                    seen.add(kind)
                    yield Try.PARAMETER, f"{detail} of {parameter['in']} {parameter['name']}", shape
        if self.body is not None:
            yield from self._wrong_bodies(good, self.body)

    def _wrong_parameters(self, good: Shape, parameter: Mapping[str, Any]) -> Iterator[tuple[str, Shape]]:
        if parameter.get("required") and parameter["in"] != "path":
            yield "required", _without(good, parameter)
        for detail, value in self.schemas.violations(parameter.get("schema", {})):
            keyword = detail.split(" ")[0]
            text = keyword == "type" and not isinstance(value, str)  # every text of a URL is a string
            empty = value == "" and parameter["in"] == "path"
            if not text and not empty and not isinstance(value, (dict, list)):
                yield keyword, self._with(_without(good, parameter), parameter, value)

    def _wrong_bodies(self, good: Shape, schema: Mapping[str, Any]) -> Iterator[Wrong]:
        other = tuple((k, NO_SUCH_TYPE if k == "content-type" else v) for k, v in good.headers)
        yield Try.CONTENT_TYPE, "", good.but(headers=other)
        if self.schemas.plain(self.entry["requestBody"]).get("required"):
            yield Try.NOT_JSON, "none", good.but(body=b"")
        broken = {
            "cut short": good.body[:-1],
            "not UTF-8": b'{"garrison": "\xff"}',
            "a key twice": _twice(good.body),
            "NaN": b'{"garrison": NaN}',
            "too deep": b"[" * DEPTH + b"]" * DEPTH,
        }
        for detail, body in broken.items():
            if body:
                yield Try.NOT_JSON, detail, good.but(body=body)
        for detail, value in self.schemas.violations(schema):
            yield Try.BODY_SCHEMA, detail, good.but(body=_dump(value))

    def _with(self, shape: Shape, parameter: Mapping[str, Any], value: Any) -> Shape:
        pair = (self._own_name(parameter), _text(value))
        match parameter["in"]:
            case "path":
                return shape.but(variables=(*shape.variables, pair))
            case "query":
                return shape.but(query=(*shape.query, pair))
            case "header":
                return shape.but(headers=(*shape.headers, pair))
            case _:
                return shape

    def _own_name(self, parameter: Mapping[str, Any]) -> str:
        """What a variable of the path is called in the graph, which may be something else than in the document."""
        names = dict(zip(variables(self.template), variables(self.operation.path), strict=True))
        return names.get(parameter["name"], parameter["name"]) if parameter["in"] == "path" else str(parameter["name"])


def _without(shape: Shape, parameter: Mapping[str, Any]) -> Shape:
    def keep(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        return tuple(pair for pair in pairs if pair[0] != parameter["name"])

    return shape.but(query=keep(shape.query), headers=keep(shape.headers))


def _twice(body: bytes) -> bytes:
    """The first key of an object once more, with the same value."""
    document = json.loads(body)
    if not isinstance(document, dict) or not document:
        return b""
    name, value = next(iter(document.items()))
    return b"{" + _dump(name) + b":" + _dump(value) + b"," + body[1:]


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
