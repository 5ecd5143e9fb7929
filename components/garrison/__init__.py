"""Garrison: zero-trust Kubernetes deployments from one declared call graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from garrison.app import App, Database, Namespace, Service
from garrison.derive import render
from garrison.errors import IntentError, Problem
from garrison.graph import Graph, Resources
from garrison.program import images

if TYPE_CHECKING:
    from garrison.resources import deploy

__all__ = [
    "App",
    "Database",
    "Graph",
    "IntentError",
    "Namespace",
    "Problem",
    "Resources",
    "Service",
    "deploy",
    "images",
    "render",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`deploy` is imported when it is asked for, so that everything else works where Pulumi is not installed."""
    if name == "deploy":
        from garrison.resources import deploy

        return deploy
    raise AttributeError(f"module 'garrison' has no attribute {name!r}")
