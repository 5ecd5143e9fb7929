"""Drift: what applying the same inputs again would change.

Comparing only the fields that the inputs name would miss what somebody added, such as a further rule
in a network policy. The server knows: its dry run of the old inputs is what should be there.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from harness.plugin import diff
from harness.plugin.errors import PluginError
from harness.plugin.objects import Obj, live_inputs, without_server_fields
from harness.plugin.session import Session


def observed_inputs(session: Session, live: Obj, inputs: Obj, manager: str) -> Obj:
    """The inputs as the live object shows them, with what was added to it beside them."""
    found = live_inputs(live, inputs)
    if inputs.get("kind") == "CustomResourceDefinition":
        return found  # replaced as a whole, never applied
    try:
        expected = session.api().apply(inputs, manager, force=True, dry_run=True)
    except PluginError:
        return found
    actual = _bare(live)
    for path, kind in diff.entries(_bare(expected), actual).items():
        if kind != "delete":
            _put(found, path, _at(actual, path))
    return found


def _bare(obj: Obj) -> Obj:
    return {key: value for key, value in without_server_fields(obj).items() if key != "status"}


def _at(value: Any, path: diff.Path) -> Any:
    for part in path:
        value = value[part]
    return deepcopy(value)


def _put(root: Any, path: diff.Path, value: Any) -> None:
    """Set a value at a path, making the maps on the way; positions that do not exist are left."""
    *parents, last = path
    node = root
    for part in parents:
        if isinstance(node, dict):
            node = node.setdefault(part, {})
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            node = node[part]
        else:
            return
    if isinstance(node, dict):
        node[last] = value
    elif isinstance(node, list) and isinstance(last, int) and last <= len(node):
        node[last : last + 1] = [value]
