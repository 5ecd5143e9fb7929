"""Judges requests by the compiled contracts: what does not fit an operation's document does not reach its service."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import islice
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import jsonschema_rs

from garrison_edge import strict
from garrison_edge.problem import Fault, Refused, unreadable

SCHEMA: Final = "garrison.dev/contracts/v1"
BODY: Final = 1024 * 1024
"""Bytes; the proxy's own limit before the agent is the same."""
FAULTS: Final = 8
"""How many are named in one answer."""
MASK: Final = "the value"
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,39})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,39})(?:\.[0-9]{1,40})?(?:[eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True)
class Request:
    """What the proxy shows of a request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    body: bytes = b""

    def header(self, name: str) -> str:
        """The only value of a header; empty where there is none."""
        values = self.headers.get(name, ())
        if len(values) > 1:
            raise unreadable(f"the header {name} is there more than once")
        return values[0] if values else ""


@dataclass(frozen=True)
class Parameter:
    place: str
    name: str
    types: frozenset[str]
    list: str = ""
    """How a list is written: `repeated` or `commas`; empty for one value."""

    def value(self, texts: Sequence[str]) -> Any:
        if self.list == "commas" and len(texts) == 1:
            texts = texts[0].split(",")
        if self.list:
            return [self._one(text) for text in texts]
        if len(texts) > 1:
            raise unreadable("a parameter is there more than once", Fault.at(self.place, [self.name], "repeated"))
        return self._one(texts[0])

    def _one(self, text: str) -> Any:
        """As its schema can judge it: text that is not of its type stays text, which the schema then refuses."""
        if "string" in self.types:
            return text
        if "integer" in self.types and _INTEGER.fullmatch(text):
            return int(text)
        if "number" in self.types and _NUMBER.fullmatch(text):
            number = float(text)
            return number if number - number == 0 else text  # not infinite
        return {"true": True, "false": False}.get(text, text) if "boolean" in self.types else text


class Operation:
    """One operation of a service: how its path reads, and what a request of it must fit."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.rule = f"{said['service']} {said['method']} {said['path']}"
        self.method: str = said["method"]
        self.segments: tuple[str, ...] = tuple(said["path"].split("/")[1:])
        rows = [
            Parameter(one["in"], one["name"], frozenset(one["types"]), one.get("list", ""))
            for one in said["parameters"]
        ]
        self.query = {row.name: row for row in rows if row.place == "query"}
        self.path = {row.name: row for row in rows if row.place == "path"}
        self.header = [row for row in rows if row.place == "header"]
        self.parameters = _validator(said["parameters_schema"])
        self.bodies = {kind: schema and _validator(schema) for kind, schema in said["bodies"].items()}
        self.body_required: bool = said["body_required"]

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """The variables of a path, still encoded; None for another path."""
        if len(segments) != len(self.segments):
            return None
        variables: dict[str, str] = {}
        for mine, theirs in zip(self.segments, segments, strict=True):
            if mine.startswith("{") and theirs:
                variables[mine[1:-1]] = theirs
            elif mine != theirs:
                return None
        return variables

    def judge(self, request: Request, variables: Mapping[str, str], query: str) -> None:
        """Raises Refused where the request does not fit."""
        values: dict[str, dict[str, Any]] = {
            "path": {name: self.path[name].value([_decoded("path", text)]) for name, text in variables.items()},
            "query": dict(self._query(query)),
            "header": {
                row.name: row.value([request.header(row.name)]) for row in self.header if row.name in request.headers
            },
        }
        if not self.parameters.is_valid(values):
            raise _misfit("a parameter does not fit the contract", self.parameters, values, "")
        self._body(request)

    def _query(self, query: str) -> Iterator[tuple[str, Any]]:
        found: dict[str, list[str]] = {}
        for pair in query.split("&") if query else ():
            name, _, text = pair.partition("=")
            found.setdefault(_decoded("query", name, form=True), []).append(_decoded("query", text, form=True))
        for name, texts in found.items():
            row = self.query.get(name)
            yield name, row.value(texts) if row else texts  # which the schema refuses: it is not named there

    def _body(self, request: Request) -> None:
        if not request.body:
            if self.body_required:
                raise unreadable("a body is missing")
            return
        if not self.bodies:
            raise unreadable("the operation takes no body")
        if len(request.body) > BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too-large", f"a body has at most {BODY} bytes")
        kind = self._kind(request)
        schema = self.bodies[kind]
        if schema is None:
            return
        try:
            value = strict.loads(request.body)
        except strict.Malformed as error:
            raise unreadable(f"the body cannot be read: {error}") from None
        if not schema.is_valid(value):
            raise _misfit("the body does not fit the contract", schema, value, "body")

    def _kind(self, request: Request) -> str:
        kind, *parameters = (part.strip().lower() for part in request.header("content-type").split(";"))
        charsets = [part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset=")]
        plain = request.header("content-encoding").lower() in ("", "identity")
        if kind not in self.bodies or not plain or any(one not in ("utf-8", "us-ascii") for one in charsets):
            detail = f"the body may be {' or '.join(sorted(self.bodies))}, in UTF-8 and not encoded"
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail)
        return kind


class Contracts:
    """Operations by host, method and number of segments."""

    def __init__(self, rows: Mapping[tuple[str, str, int], list[Operation]]) -> None:
        self.rows = rows

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Contracts:
        """Every operation of a file; raises ValueError for what is none, or has a schema that cannot be compiled."""
        if said.get("schema") != SCHEMA:
            raise ValueError(f"it is not of schema {SCHEMA!r}")
        rows: dict[tuple[str, str, int], list[Operation]] = {}
        try:
            operations = [Operation(one) for one in said["operations"]]
            for host, indices in said["hosts"].items():
                for row in (operations[index] for index in indices):
                    rows.setdefault((host, row.method, len(row.segments)), []).append(row)
        except (AttributeError, IndexError, KeyError, TypeError) as error:
            raise ValueError(f"it is not of the form of {SCHEMA}: {type(error).__name__}") from None
        return cls(rows)

    def over(self, older: Contracts) -> Contracts:
        """These, and for what is not in them the older ones: while the proxy still has routes of both."""
        both = dict(older.rows)
        for key, mine in self.rows.items():
            shapes = {row.segments for row in mine}
            both[key] = mine + [row for row in older.rows.get(key, ()) if row.segments not in shapes]
        return Contracts(both)

    def judge(self, request: Request) -> str:
        """The rule that a request fits; raises Refused where it fits none."""
        path, _, query = request.target.partition("?")
        segments = path.split("/")[1:]
        host = request.header("host").lower().partition(":")[0]
        for operation in self.rows.get((host, request.method, len(segments)), ()):
            variables = operation.match(segments)
            if variables is not None:
                try:
                    operation.judge(request, variables, query)
                except Refused as refused:
                    refused.rule = operation.rule
                    raise
                return operation.rule
        raise Refused(HTTPStatus.NOT_FOUND, "unknown-operation", "there is no contract for this operation")


def _validator(schema: Mapping[str, Any]) -> jsonschema_rs.Draft202012Validator:
    """Patterns run in linear time, or are no patterns; formats are held to; messages hide the value."""
    try:
        options = jsonschema_rs.RegexOptions()
        return jsonschema_rs.Draft202012Validator(
            dict(schema), validate_formats=True, mask=MASK, pattern_options=options
        )
    except (ValueError, jsonschema_rs.ValidationError) as error:
        raise ValueError(f"a schema cannot be compiled: {str(error).partition(chr(10))[0]}") from None


def _decoded(place: str, text: str, *, form: bool = False) -> str:
    """Percent-decoded, once (RFC 3986, section 2.1); in a query `+` is a blank (URL standard, forms)."""
    plain = text.replace("+", " ") if form else text
    if "%" not in plain and plain.isascii():
        return plain
    if _ESCAPE.search(plain):
        raise unreadable(f"the {place} has a '%' that encodes nothing")
    try:
        decoded = unquote_to_bytes(plain.encode("latin-1")).decode()
    except UnicodeError:
        raise unreadable(f"the {place} is not UTF-8") from None
    if "\0" in decoded:
        raise unreadable(f"the {place} has a NUL")
    return decoded


def _misfit(detail: str, validator: Any, value: Any, place: str) -> Refused:
    faults: list[Fault] = []
    for error in islice(validator.iter_errors(value), FAULTS):
        where, about = list(error.instance_path), error.kind.as_dict()
        if error.kind.name in ("additionalProperties", "unevaluatedProperties"):
            found = [([*where, name], "it is not known") for name in about["unexpected"]]
        elif error.kind.name == "required":
            found = [([*where, about["property"]], "it is missing")]
        else:
            found = [(where, error.message[:200])]
        faults += [Fault.at(place or str(at[0]), at if place else at[1:], why) for at, why in found]
    return Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid-request", detail, tuple(faults[:FAULTS]))
