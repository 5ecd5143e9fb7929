"""Contracts: the OpenAPI document of a service, which operations are in it, and what a request of each must fit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from garrison import defaults as d
from garrison.model.schemas import ContractError, Json, alone, resolved, types

MOST: Final = 1_000_000  # letters
VARIABLE: Final = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True)
class Contract:
    """A document as it was read; `problem` says why it is none."""

    document: Mapping[str, Any]
    problem: str = ""

    @classmethod
    def parse(cls, text: str) -> Contract:
        if len(text) > MOST:
            return cls({}, f"it has {len(text):,} letters, more than {MOST:,}")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            return cls({}, f"it is not JSON: {error}")
        if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3."):
            return cls({}, "it is not of OpenAPI 3")
        paths = document.get("paths")
        if not isinstance(paths, dict) or not all(isinstance(item, dict) for item in paths.values()):
            return cls({}, "it has no `paths`")
        return cls(document)

    @property
    def operations(self) -> tuple[tuple[str, str], ...]:
        """Method and path of every operation of the document, in order."""
        methods = {method.lower(): method for method in d.METHODS}
        found = (
            (methods[name], path)
            for path, item in self.document.get("paths", {}).items()
            for name in item
            if name in methods
        )
        return tuple(sorted(found))

    def entry(self, method: str, path: str) -> Mapping[str, Any] | None:
        """What the document says of an operation; what its parameters are called does not matter."""
        template = self._template(method, path)
        entry: Mapping[str, Any] | None = self.document["paths"][template][method.lower()] if template else None
        return entry

    def request(self, method: str, path: str) -> Json:
        """What a request of an operation must fit, in the form that the edge enforces (docs/contract.md).

        Raises ContractError where the document says something that cannot be held against a request.
        """
        template = self._template(method, path)
        if template is None:
            raise ContractError(f"it has no '{method} {path}'")
        try:
            return self._request(method, template)
        except (AttributeError, KeyError, TypeError, RecursionError):
            raise ContractError("what it says of it is not of the form of OpenAPI 3") from None

    def _request(self, method: str, template: str) -> Json:
        item = self.document["paths"][template]
        entry = self._at(item[method.lower()])
        said = {
            (str(one["in"]), str(one["name"])): one
            for one in map(self._at, [*item.get("parameters", ()), *entry.get("parameters", ())])
        }
        known: dict[tuple[str, str], Mapping[str, Any]] = {
            ("path", name): {"required": True, "schema": {"type": "string"}} for name in _names(template)
        }
        rows = [row for key, one in sorted((known | said).items()) if (row := self._parameter(*key, one))]
        body = self._at(entry.get("requestBody") or {})
        return {
            "method": method,
            "path": template,
            "parameters": [{name: value for name, value in row.items() if name != "schema"} for row in rows],
            "parameters_schema": self._parameters(rows),
            "body_required": bool(body.get("required")),
            "bodies": {_media(kind): self._body(kind, self._at(one)) for kind, one in body.get("content", {}).items()},
        }

    def _parameters(self, rows: list[Json]) -> Json:
        """One schema for all parameters, by place and name; what is not named is refused in the query alone."""
        places: Json = {}
        for place in ("header", "path", "query"):
            here = [row for row in rows if row["in"] == place]
            places[place] = {
                "type": "object",
                "properties": {row["name"]: row["schema"] for row in here},
                "required": [row["name"] for row in here if row["required"]],
                "additionalProperties": False,
            }
        return alone(self.document, {"type": "object", "properties": places})

    def _parameter(self, place: str, name: str, said: Mapping[str, Any]) -> Json | None:
        if place == "header":
            name = name.lower()
            if name in ("accept", "authorization", "content-type"):
                return None  # OpenAPI 3.1, section 4.8.12.1: such a definition is ignored
        where = f"its {place} parameter {name!r}"
        if place == "cookie":
            raise ContractError(f"{where} would be a cookie, and none passes the edge")
        if place not in ("header", "path", "query") or "schema" not in said:
            raise ContractError(f"{where} has no schema")
        schema = said["schema"]
        found = types(alone(self.document, schema))
        styles = {"query": "form"}
        if said.get("style", styles.get(place, "simple")) != styles.get(place, "simple"):
            raise ContractError(f"{where} has another style than '{styles.get(place, 'simple')}'")
        row: Json = {"in": place, "name": name, "required": bool(said.get("required")), "schema": schema}
        if found == {"array"} or found == {"array", "null"}:
            row["list"] = "repeated" if place == "query" and said.get("explode", True) else "commas"
            found = types(alone(self.document, self._items(schema)))
        kinds = found - {"null", "array", "object"}
        if not kinds:
            raise ContractError(f"{where} is an object, which is not supported")
        if "string" in kinds and len(kinds) > 1:
            kinds = {"string"} if len(kinds) == len({"boolean", "integer", "number", "string"}) else kinds
            if len(kinds) > 1:
                raise ContractError(f"{where} can be text and also {', '.join(sorted(kinds - {'string'}))}; say one")
        return {**row, "types": sorted(kinds)}

    def _items(self, schema: Mapping[str, Any]) -> Any:
        """The schema of what is in a list, however the list is said."""
        if "$ref" in schema:
            return self._items(resolved(self.document, schema["$ref"]))
        lists = [part for part in schema.get("anyOf", ()) if part.get("type") == "array"]
        return self._items(lists[0]) if lists else schema.get("items", True)

    def _body(self, kind: str, said: Mapping[str, Any]) -> Json | None:
        """The schema of a JSON body; None for one of another kind, of which type and size alone are judged."""
        schema = said.get("schema", {})
        if _json(_media(kind)):
            return alone(self.document, schema)
        if schema and types(alone(self.document, schema)) != {"string"}:
            raise ContractError(f"its body of {kind!r} has a schema, which only JSON can be held to")
        return None

    def _at(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """A part of the document, or what it refers to."""
        found: Any = resolved(self.document, part["$ref"]) if "$ref" in part else part
        if not isinstance(found, Mapping):
            raise ContractError(f"{part!r} is no object")
        return found

    def _template(self, method: str, path: str) -> str | None:
        for known, template in self.operations:
            if known == method and _shape(template) == _shape(path):
                return template
        return None


def _names(template: str) -> list[str]:
    return [variable[1:-1] for variable in VARIABLE.findall(template)]


def _media(kind: str) -> str:
    """A media type without parameters (RFC 9110, section 8.3.1)."""
    name = kind.partition(";")[0].strip().lower()
    if "*" in name:
        raise ContractError(f"its body may be of {kind!r}; name each type")
    return name


def _json(media: str) -> bool:
    return media == "application/json" or media.endswith("+json")


def _shape(path: str) -> str:
    return VARIABLE.sub("{}", path)
