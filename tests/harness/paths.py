"""Where the harness keeps things: a cache that survives, and a state folder per cluster.

Nothing is kept inside the checkout, so a fresh clone misses nothing and `git clean` loses nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

HARNESS = Path(__file__).resolve().parent
REPO = HARNESS.parent.parent
GO_FOLDER = HARNESS / "go"
NPM_FOLDER = HARNESS / "npm"


def _base(variable: str, xdg: str, default: str) -> Path:
    if chosen := os.environ.get(variable):
        return Path(chosen).expanduser().resolve()
    root = os.environ.get(xdg)
    return (Path(root) if root else Path.home() / default) / "garrison"


def cache() -> Path:
    """Built and downloaded things, shared by every checkout and safe to delete."""
    return _base("GARRISON_CACHE", "XDG_CACHE_HOME", ".cache")


def state() -> Path:
    """What belongs to running clusters: credentials, Pulumi state, audit log."""
    return _base("GARRISON_STATE", "XDG_STATE_HOME", ".local/state")


def parts_folder() -> Path:
    """One folder per built part."""
    return cache() / "parts"


def cluster_state(cluster: str) -> Path:
    """The state folder of one cluster, made private on first use."""
    folder = state() / cluster
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
