"""Changes of the provider's own configuration: only another cluster replaces what is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from harness.plugin import kubeconfig, settings
from harness.plugin.errors import PluginError
from harness.plugin.values import plain

_WHERE: Final = ("kubeconfig", "context", "cluster")


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The arguments that changed and those that mean another cluster."""
    before, after = plain(old), plain(new)
    keys = sorted((before.keys() | after.keys()) - {"version"})
    changed = [key for key in keys if before.get(key) != after.get(key)]
    if "clusterIdentifier" in before or "clusterIdentifier" in after:
        return changed, [key for key in changed if key == "clusterIdentifier"]
    where = [key for key in changed if key in _WHERE]
    moved = bool(where) and _server(before) != _server(after)
    return changed, where if moved else []


def _server(arguments: Mapping[str, Any]) -> str:
    """The address that the arguments lead to; unknown or unreadable ones lead nowhere else."""
    chosen = settings.read(arguments)
    if chosen.unknown:
        return ""
    try:
        return kubeconfig.load(chosen.kubeconfig, chosen.context, chosen.cluster).server
    except (PluginError, OSError, ValueError):
        return ""
