"""Reading a graph back from JSON: strict, so that a file of another version or a typing error is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from garrison.model.graph import Call, Database, Operation, Permission, Read, Service, Use
from garrison.model.permissions import derived_config_maps, objections
from garrison.words import Ref, Resources

Row = dict[str, Any]


def graph_fields(text: str, schema: str, names: tuple[str, ...]) -> dict[str, Any]:
    """The constructor arguments of a Graph; raises ValueError saying what does not fit."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"the graph is not JSON: {error}") from None
    if not isinstance(data, dict) or data.pop("schema", None) != schema:
        raise ValueError(f"the graph is not of schema {schema!r}")
    data = _LATER | data
    if set(data) != set(names):
        raise ValueError(f"the graph has other fields than {schema}: {sorted(set(data) ^ set(names))}")
    try:
        found = {name: _FIELDS[name](data[name]) for name in names}
        _check(found)
        return found
    except (KeyError, TypeError) as error:
        raise ValueError(f"the graph does not fit {schema}: {error}") from None


def _ref(row: Row) -> Ref:
    return Ref(**row)


def _service(row: Row) -> Service:
    return Service(**row | {"ref": _ref(row["ref"]), "resources": Resources(**row["resources"])})


def _database(row: Row) -> Database:
    steps = tuple((str(name), str(text)) for name, text in row.get("schema", ()))
    return Database(**row | {"ref": _ref(row["ref"]), "schema": steps})


def _call(row: Row) -> Call:
    operations = tuple(Operation(**operation) for operation in row["operations"])
    return Call(_ref(row["caller"]), _ref(row["callee"]), operations)


def _use(row: Row) -> Use:
    return Use(_ref(row["service"]), _ref(row["database"]), row["role"])


def _permission(row: Row) -> Permission:
    lists = {"names": tuple(row["names"]), "verbs": tuple(row["verbs"])}
    return Permission(**row | {"service": _ref(row["service"]), **lists})


def _check(found: dict[str, Any]) -> None:
    """Rights are held to the same rules as in a program: the JSON may have been edited."""
    services, databases = ([item.ref for item in found[kind]] for kind in ("services", "databases"))
    for p in found["permissions"]:
        derived = derived_config_maps(p.service.namespace, services, databases)
        for why, remedy in objections(" ".join(p.verbs), p.resource, p.names, p.group, derived=derived):
            raise ValueError(f"the graph permits '{p.service}' {p}: {why}; {remedy}")


def _rows(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda rows: tuple(read(row) for row in rows)


_LATER: Row = {"permissions": []}  # fields that a graph may leave out, as those did that were written before them

_FIELDS: dict[str, Callable[[Any], Any]] = {
    "name": str,
    "trust_domain": str,
    "namespaces": tuple,
    "services": _rows(_service),
    "calls": _rows(_call),
    "databases": _rows(_database),
    "uses": _rows(_use),
    "reads": _rows(lambda row: Read(_ref(row["service"]), row["path"])),
    "permissions": _rows(_permission),
    "images": _rows(tuple),
}
