"""Reading a graph back from JSON: strict, so that a file of another version or a typing error is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from garrison.graph import Call, Database, Operation, Read, Ref, Resources, Service, Use

Row = dict[str, Any]


def graph_fields(text: str, schema: str, names: tuple[str, ...]) -> dict[str, Any]:
    """The constructor arguments of a Graph; raises ValueError saying what does not fit."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"the graph is not JSON: {error}") from None
    if not isinstance(data, dict) or data.pop("schema", None) != schema:
        raise ValueError(f"the graph is not of schema {schema!r}")
    if set(data) != set(names):
        raise ValueError(f"the graph has other fields than {schema}: {sorted(set(data) ^ set(names))}")
    try:
        return {name: _FIELDS[name](data[name]) for name in names}
    except (KeyError, TypeError) as error:
        raise ValueError(f"the graph does not fit {schema}: {error}") from None


def _ref(row: Row) -> Ref:
    return Ref(**row)


def _service(row: Row) -> Service:
    return Service(**row | {"ref": _ref(row["ref"]), "resources": Resources(**row["resources"])})


def _call(row: Row) -> Call:
    operations = tuple(Operation(**operation) for operation in row["operations"])
    return Call(_ref(row["caller"]), _ref(row["callee"]), operations)


def _use(row: Row) -> Use:
    return Use(_ref(row["service"]), _ref(row["database"]), row["role"])


def _rows(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda rows: tuple(read(row) for row in rows)


_FIELDS: dict[str, Callable[[Any], Any]] = {
    "name": str,
    "trust_domain": str,
    "namespaces": tuple,
    "services": _rows(_service),
    "calls": _rows(_call),
    "databases": _rows(lambda row: Database(**row | {"ref": _ref(row["ref"])})),
    "uses": _rows(_use),
    "reads": _rows(lambda row: Read(_ref(row["service"]), row["path"])),
    "images": _rows(tuple),
}
