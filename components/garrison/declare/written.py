"""A graph that was written down: by `garrison graph --format json`, as an estate's outputs, or in a stack's export."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from garrison.model.graph import Graph

ESTATE: Final = "garrison:index:Estate"


def outputs(data: Any) -> list[Mapping[str, Any]]:
    """What the estates in it registered, each with its `graph`; empty for what is a graph itself."""
    return [*_exported(data)] or ([data] if isinstance(data, dict) and "graph" in data else [])


def graph_in(text: str) -> Graph:
    """Raises ValueError for what holds no graph, or several; IntentError for one that does not hold together."""
    try:
        found = outputs(json.loads(text))
    except (ValueError, RecursionError):
        found = []  # `from_json` says what is wrong
    if len(found) > 1:
        raise ValueError(f"it has {len(found)} estates; export a stack that has one")
    return Graph.from_json(json.dumps(found[0].get("graph")) if found else text)


def _exported(data: Any) -> Iterator[Mapping[str, Any]]:
    """The outputs of the estates in a stack that was exported."""
    deployment = data.get("deployment") if isinstance(data, dict) else None
    resources = deployment.get("resources") if isinstance(deployment, dict) else None
    for resource in resources if isinstance(resources, list) else ():
        if isinstance(resource, dict) and resource.get("type") == ESTATE:
            yield resource.get("outputs") or {}
