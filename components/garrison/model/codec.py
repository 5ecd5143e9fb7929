"""A graph as JSON: stable when written; strict when read, so that another version or a typing error is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any

from garrison.errors import IntentError, Problem, did_you_mean
from garrison.model.calls import Call
from garrison.model.databases import Use
from garrison.model.jobs import Job
from garrison.model.parts import Parts
from garrison.model.secrets import Read
from garrison.model.services import Service
from garrison.model.shape import hints, row_of

SCHEMA = "garrison.dev/graph/v1"
LATER: Mapping[str, Any] = {
    "permissions": [],
    "issuers": [],
    "hosts": [],
    "routes": [],
    "ports": [],
    "jobs": [],
    "externals": [],
    "elsewhere": [],
}  # fields that a graph may leave out, as those did that came before them
# Of these, every field that has a default.
LATER_IN_ROWS: Mapping[str, Any] = {"services": Service, "calls": Call, "jobs": Job, "reads": Read, "uses": Use}
AGAIN = "write it with `garrison graph --format json` of this version"


def write(parts: Parts, only: str = "") -> str:
    """Stable JSON: same graph, same bytes. `only`: what of a graph this is; `read` refuses it then, as it is no whole.

    A later field is left out where it is empty: a reader that does not know it takes the graph, and refuses one of
    which it would lose something.
    """
    data = {"schema": SCHEMA, **({"only": only} if only else {}), **asdict(parts)}
    for name in LATER:
        if not data[name]:
            del data[name]
    rows = {name: [*data.get(name, ())] for name in LATER_IN_ROWS}
    rows["calls"] += [call for other in data.get("elsewhere", ()) for call in other["admits"]]
    for name, kind in LATER_IN_ROWS.items():
        empty = {field.name: _plain(field.default) for field in fields(kind) if field.default is not MISSING}
        for row in rows[name]:
            for field in [field for field, default in empty.items() if row[field] == default]:
                del row[field]
    return json.dumps(data, indent=2, sort_keys=True) + "\n"


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def read(text: str) -> dict[str, Any]:
    """The fields of what `write` gave, of whatever types and values; raises ValueError for another
    document, and IntentError where a field is not one.
    """
    try:
        data = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the graph is not JSON: {error}") from None
    if not isinstance(data, dict) or data.pop("schema", None) != SCHEMA:
        raise ValueError(f"the graph is not of schema {SCHEMA!r}")
    return _fields(Parts, dict(LATER) | data, "")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"{', '.join(sorted(twice))} is said twice in one object")
    return dict(pairs)


def _fields(kind: Any, row: Mapping[str, Any], place: str) -> dict[str, Any]:
    known = hints(kind)
    where = place.strip(".") or "graph"
    optional = [field.name for field in fields(kind) if field.default is not MISSING and kind is not Parts]
    wrong = [
        *(
            Problem(where, f"does not fit {SCHEMA}: {name!r} is missing", AGAIN)
            for name in known
            if name not in {*row, *optional}
        ),
        *(
            Problem(where, f"does not fit {SCHEMA}: there is no {name!r}", did_you_mean(name, known, "remove it"))
            for name in row
            if name not in known
        ),
    ]
    if wrong:
        raise IntentError(wrong)
    return {name: _value(hint, row[name], f"{place}.{name}") for name, hint in known.items() if name in row}


def _value(hint: Any, value: Any, place: str) -> Any:
    """Lists as tuples and objects as dataclasses, where they should be; anything else as it is, for who checks it."""
    if isinstance(value, list):
        each = row_of(hint)
        return tuple(_value(each, part, f"{place}[{index}]") for index, part in enumerate(value))
    if isinstance(value, dict) and isinstance(hint, type) and is_dataclass(hint):
        return hint(**_fields(hint, value, place))
    return value
