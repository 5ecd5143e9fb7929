"""Operations of callees, from OpenAPI documents and from `.proto` files: never from anything else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from garrison import defaults as d
from garrison_import import proto
from garrison_import.read.documents import ImportingError
from garrison_import.read.shapes import mapping, mappings, word
from garrison_policies.read.documents import documents

_VARIABLE = re.compile(r"\{([^{}/]*)\}")
_SEGMENT = re.compile(r"([A-Za-z0-9._~-]+|\{[a-z][a-z0-9_]*\})")


class Operations:
    """What was given: `of` says what a callee serves, by its name."""

    def __init__(self, openapi: Sequence[str], protos: Sequence[str], names: Sequence[str]) -> None:
        self._http: dict[str, tuple[tuple[str, ...], str]] = {}
        self._grpc: dict[str, tuple[tuple[str, ...], str]] = {}
        self._services: list[tuple[proto.Service, str]] = []
        for given in openapi:
            name, file = _named(given, "--openapi", names)
            self._http[name] = tuple(_openapi(file)), file
        for given in protos:
            if "=" in given:
                name, file = _named(given, "--proto", names)
                found = [operation for service in _proto(file) for operation in service.operations]
                self._grpc[name] = tuple(found), file
            else:
                self._services += [(service, given) for service in _proto(given)]

    def of(self, name: str, spoken: str) -> tuple[tuple[str, ...], str]:
        """The operations a callee serves, and the file that says so; nothing where none does.

        Without NAME= a service of a .proto file belongs to the workload of its name, but for case, dashes and a last
        `service`, and only where one alone does.
        """
        if spoken == "http":
            return self._http.get(name, ((), ""))
        if name in self._grpc or spoken != "grpc":
            return self._grpc.get(name, ((), ""))
        same = [(one, file) for one, file in self._services if _plain(one.name) == _plain(name)]
        return (same[0][0].operations, same[0][1]) if len(same) == 1 else ((), "")


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower()).removesuffix("service")


def _named(given: str, option: str, names: Sequence[str]) -> tuple[str, str]:
    name, _, file = given.partition("=")
    if not file or name not in names:
        known = ", ".join(names[:12]) + (" ..." if len(names) > 12 else "")
        raise ImportingError(f"{option} {given}: say NAME=FILE, where NAME is one of {known}")
    return name, file


def _text(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportingError(f"{file}: is not text in UTF-8 ({error.reason})") from None
    except OSError as error:
        raise ImportingError(f"{file}: cannot be read ({error.strerror})") from None


def _proto(file: str) -> list[proto.Service]:
    try:
        return proto.services(_text(file))
    except proto.ProtoError as error:
        raise ImportingError(f"{file}:{error.line}: {error}") from None


def _openapi(file: str) -> Iterator[str]:
    """Every operation of a document of OpenAPI 3 (or 2), in JSON or YAML, each as a program writes it."""
    found = list(documents(_text(file)))
    body = mapping(found[0].body) if len(found) == 1 else {}
    wrong = next((f":{one.line}: {one.problem}" for one in found if one.problem), "")
    if wrong or not ({"openapi", "swagger"} & {*body}):
        raise ImportingError(f"{file}{wrong or ': is no document of OpenAPI'}")
    base = _base(body)
    methods = {method.lower(): method for method in d.METHODS}
    for path, item in sorted(mapping(body.get("paths")).items()):
        template = _template(base + word(path))
        if template is None:
            raise ImportingError(f"{file}: {path!r} is no path that an operation can have")
        for name in mapping(item):
            if name in methods:
                yield f"{methods[name]} {template}"


def _base(body: Mapping[str, Any]) -> str:
    """The path that all of it is below: of the one server that is named, or `basePath` of OpenAPI 2."""
    servers = mappings(body.get("servers"))
    url = word(servers[0].get("url")) if len(servers) == 1 else word(body.get("basePath"))
    path = re.sub(r"^[a-z]+://[^/]*", "", url).rstrip("/")
    return path if path.startswith("/") and "{" not in path else ""


def _template(path: str) -> str | None:
    """The path with variables named as Garrison names them; None for one that it does not take."""

    def put(match: re.Match[str]) -> str:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", match[1]).lower()
        name = re.sub(r"[^a-z0-9]+", "_", name).strip("_")
        return "{" + (name if name[:1].isalpha() else f"v{name}") + "}"

    path = _VARIABLE.sub(put, path)
    segments = path.removeprefix("/").split("/")
    good = path.startswith("/") and all(map(_SEGMENT.fullmatch, segments if segments[-1] else segments[:-1]))
    return path if good else None
